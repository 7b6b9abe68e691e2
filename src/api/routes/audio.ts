import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import Type from "typebox";
import type { Call } from "../../models/calls.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { type ByteRange, readByteRange } from "../audio/byte-range.ts";
import { createPlayableSound } from "../audio/derived.ts";
import { type Peaks, readPeaks } from "../audio/peaks.ts";
import { recordAudit } from "../audit.ts";
import { CALL_VIEWERS } from "../auth/access.ts";
import { callerOf, callOf } from "../auth/caller.ts";
import type { ApiDeps } from "../deps.ts";
import { createRecently } from "../recently.ts";
import { binary, IdParams, oneOf, strict } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";

/** A browser asks for a recording piece by piece: that is one time of listening. */
const LISTENING_MS = 10 * 60_000;
/** Outlines kept in memory: of what the people of one morning look at. */
const KEPT_PEAKS = 64;

const Sound = binary("audio/wav", "application/octet-stream");

/** The sound of a call, and its outline. */
export const audioRoutes: ApiRoutes = (app, deps) => {
  const { models } = deps;
  const playable = createPlayableSound(deps);
  const listening = createRecently(LISTENING_MS);
  const outlines = new Map<string, Peaks>();

  app.get(
    "/api/calls/:id/audio",
    {
      config: { access: { roles: CALL_VIEWERS, object: "call" } },
      schema: {
        summary: "The recording as browsers play it, or as it was stored",
        description:
          "A WAV of 16-bit samples; with `original=1` the stored bytes, of a call with two files those of `side`. Takes a Range of bytes.",
        tags: ["calls"],
        params: IdParams,
        querystring: strict({ original: Type.Optional(Type.Boolean()), side: Type.Optional(oneOf(["agent", "customer"])) }),
        response: { 200: Sound, 206: Sound },
      },
    },
    async (request, reply) => {
      const call = callOf(request);
      const { original = false, side = "agent" } = request.query;
      const bytes = original ? await storedBytes(call, side, deps) : await playableBytes(call, await playable.path(call.id));
      // A part may be all that is worth hearing: whichever comes first is written down.
      if (listening.isFirst(`${callerOf(request).user.id} ${call.id} ${original}`))
        await recordAudit(models, request, "recording-heard", call.id, { original });
      return await sendBytes(bytes, request, reply);
    },
  );

  app.get(
    "/api/calls/:id/peaks",
    {
      config: { access: { roles: CALL_VIEWERS, object: "call" } },
      schema: {
        summary: "The outline of the sound: lowest and highest sample of each part, per channel",
        tags: ["calls"],
        params: IdParams,
        querystring: strict({ points: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000, default: 1_000 })) }),
        response: {
          200: Type.Object({
            durationMs: Type.Integer(),
            points: Type.Integer(),
            channels: Type.Array(
              Type.Array(Type.Unsafe<readonly [number, number]>({ type: "array", items: { type: "number" }, minItems: 2, maxItems: 2 })),
            ),
          }),
        },
      },
    },
    async (request, reply) => {
      const { id } = callOf(request);
      const { points = 1_000 } = request.query;
      const key = `${id} ${points}`;
      const peaks = outlines.get(key) ?? (await readPeaks(await playable.path(id), points));
      outlines.delete(key);
      outlines.set(key, peaks);
      const [oldest] = outlines.keys();
      if (outlines.size > KEPT_PEAKS && oldest !== undefined) outlines.delete(oldest);
      void reply.header("cache-control", "private, no-cache");
      return { durationMs: peaks.durationMs, points, channels: peaks.channels.map((channel) => [...channel]) };
    },
  );
};

/** A file of some kind, to be sent whole or in part. */
interface Bytes {
  readonly size: number;
  readonly type: string;
  readonly tag: string;
  /** For people who save it. */
  readonly name: string;
  readonly read: (range?: ByteRange) => Promise<Readable> | Readable;
}

async function playableBytes({ sha256, name }: Call, path: string): Promise<Bytes> {
  const { size } = await stat(path);
  return {
    ...{ size, type: "audio/wav", tag: `${sha256}-play`, name: `${name.replace(/\.[^.]*$/, "")}.wav` },
    read: (range) => createReadStream(path, range),
  };
}

async function storedBytes({ id, sha256, name }: Call, side: "agent" | "customer", { models, files }: ApiDeps): Promise<Bytes> {
  const recording = (await models.calls.source(id))?.recording;
  if (!recording) throw new CallsiftError("recording/gone", "the recording of this call is not stored any more");
  const key = "key" in recording ? recording.key : recording[`${side}Key`];
  return {
    ...{ size: await files.size(key), type: "application/octet-stream", tag: `${sha256}-${side}`, name },
    read: async (range) => await files.read(key, range),
  };
}

async function sendBytes({ size, type, tag, name, read }: Bytes, request: FastifyRequest, reply: FastifyReply): Promise<never> {
  const etag = `"${tag}"`;
  const { range: header, "if-range": ifRange } = request.headers;
  // If-Range: part of what the client has, or all of what is there now.
  const range = ifRange === undefined || ifRange === etag ? readByteRange(header, size) : null;
  reply.headers({ "accept-ranges": "bytes", "cache-control": "private, no-cache", etag });
  if (request.headers["if-none-match"] === etag) return reply.status(304).send() as never;
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${size}`);
    return reply
      .status(416)
      .type("application/json; charset=utf-8")
      .send({
        code: "request/invalid",
        message: `headers/range: expected a range within ${size} bytes`,
        details: { path: "headers/range" },
      }) as never;
  }
  reply.type(type).header("content-disposition", `inline; filename*=UTF-8''${headerText(name)}`);
  if (range === null) return reply.header("content-length", size).send(await read()) as never;
  reply.status(206).header("content-range", `bytes ${range.start}-${range.end}/${size}`);
  return reply.header("content-length", range.end - range.start + 1).send(await read(range)) as never;
}

/** RFC 8187: everything but letters, digits and a few marks by its bytes. */
function headerText(name: string): string {
  return encodeURIComponent(Buffer.from(name).toString()).replace(/['()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
