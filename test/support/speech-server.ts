import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** One request for a transcription, as it came. */
export interface SpeechRequest {
  /** 0 for the first one. */
  readonly number: number;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** The fields of the form by name, files apart; a field that ends in [] may stand there several times. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly file: { readonly name: string; readonly type: string; readonly bytes: Uint8Array };
  /** Length of the sound that its header promises, ms. */
  readonly lengthMs: number;
}

/** What the server does with a request. */
export type SpeechReply =
  | { readonly json: unknown; readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly afterMs?: number }
  | {
      readonly body: string | Uint8Array;
      readonly type: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Never answers. */
  | "hang"
  /** Begins to answer, and stops. */
  | "stall"
  /** Closes before it answers. */
  | "close"
  /** Closes in the middle of its answer. */
  | "cut"
  /** Never ends: as fast as it is read, of this status. */
  | { readonly endless: number };

export interface SpeechServer extends AsyncDisposable {
  /** As it is set for the engine. */
  readonly baseUrl: string;
  readonly requests: readonly SpeechRequest[];
  /** Requests that were in hand at the same time, at most. */
  readonly mostAtOnce: number;
}

/** A server of the OpenAI transcription protocol over real HTTP, that misbehaves on demand. */
export async function startSpeechServer(reply: (request: SpeechRequest) => SpeechReply | Promise<SpeechReply>): Promise<SpeechServer> {
  const requests: SpeechRequest[] = [];
  let inHand = 0;
  let mostAtOnce = 0;
  const server = createServer((message, response) => {
    mostAtOnce = Math.max(mostAtOnce, ++inHand);
    response.on("close", () => inHand--);
    void (async () => {
      const request = await readRequest(message, requests.length);
      requests.push(request);
      await send(response, await reply(request));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get mostAtOnce() {
      return mostAtOnce;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readRequest(message: IncomingMessage, number: number): Promise<SpeechRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const form = await new Response(Buffer.concat(chunks), { headers: { "content-type": message.headers["content-type"] ?? "" } }).formData();
  const fields: Record<string, string[]> = {};
  let file = { name: "", type: "", bytes: new Uint8Array() };
  for (const [name, value] of form) {
    if (typeof value === "string") fields[name] = [...(fields[name] ?? []), value];
    else file = { name: value.name, type: value.type, bytes: new Uint8Array(await value.arrayBuffer()) };
  }
  return { number, path: message.url ?? "", headers: message.headers, fields, file, lengthMs: lengthMsOf(Buffer.from(file.bytes)) };
}

/** Of the header of a FLAC (RFC 9639, STREAMINFO) or of a plain 16 kHz WAV. */
function lengthMsOf(file: Buffer): number {
  if (file.toString("latin1", 0, 4) === "fLaC")
    return (1000 * ((file.readUInt8(21) & 0x0f) * 2 ** 32 + file.readUInt32BE(22))) / (file.readUIntBE(18, 3) >> 4);
  return file.toString("latin1", 0, 4) === "RIFF" ? file.readUInt32LE(40) / 32 : 0;
}

async function send(response: ServerResponse, reply: SpeechReply): Promise<void> {
  if (reply === "hang") return;
  if (reply === "close") return void response.destroy();
  if (reply === "stall" || reply === "cut") {
    response.writeHead(200, { "content-type": "application/json" });
    await new Promise((resolve) => response.write('{"text":"half of an ans', resolve));
    if (reply === "cut") response.destroy();
    return;
  }
  if ("endless" in reply) {
    response.writeHead(reply.endless, { "content-type": "application/json" });
    const chunk = Buffer.alloc(64 * 1024, " ");
    const closed = once(response, "close");
    while (!response.destroyed) {
      if (response.write(chunk)) await sleep(0);
      else await Promise.race([once(response, "drain"), closed]);
    }
    return;
  }
  const [type, body] = "json" in reply ? ["application/json", JSON.stringify(reply.json)] : [reply.type, reply.body];
  if ("afterMs" in reply && reply.afterMs) await sleep(reply.afterMs);
  response.writeHead(reply.status ?? 200, { "content-type": type, ...reply.headers });
  response.end(body);
}

/** `verbose_json` of a text whose words (Chinese characters one by one) lie evenly over the sound. */
export function verboseJson(text: string, lengthMs: number, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const words = text.match(/\p{Script=Han}|[\p{L}\p{N}']+/gu) ?? [];
  const seconds = lengthMs / 1000;
  const each = seconds / Math.max(1, words.length);
  return {
    task: "transcribe",
    language: "chinese",
    duration: seconds,
    text,
    segments: [{ id: 0, start: 0, end: seconds, text, avg_logprob: -0.2, compression_ratio: 1.1, no_speech_prob: 0.02 }],
    words: words.map((word, i) => ({ word, start: i * each, end: (i + 1) * each })),
    ...more,
  };
}
