import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { Readable as ReadableStream } from "node:stream";
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { CallMetadata } from "../../pipeline/types.ts";
import type { ApiDeps } from "../deps.ts";
import { parseJson } from "../json-body.ts";
import { invalidAt } from "../validate.ts";
import { plainName, type Received, readMetadata, readTranscript } from "./received.ts";

/** Metadata is a page at most; a transcript of a day of speech stays below this, and below what a document of the database can hold. */
const MAX_BYTES = { metadata: 1024 * 1024, transcript: 8 * 1024 * 1024 } as const;
/** What else a form consists of: boundaries and headers. */
const SLACK_BYTES = 64 * 1024;
/** Of a form that was refused, how much is still read. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024;

/**
 * Takes in a form with `recording`, `metadata` and `transcript`, in any order. The recording goes to disk as it arrives, but it is kept only once the whole form has
 * come and is right: the stream that is stored doesn't end before. Else nothing is left behind.
 *
 * @throws CallsiftError `request/invalid`, `request/too-large`, `metadata/invalid`, `transcript/…`, `output/no-space`
 */
export async function receiveForm(request: FastifyRequest, tenant: string, { files, config }: ApiDeps): Promise<Received> {
  const maxBytes = config.maxUploadBytes;
  const announced = Number(request.headers["content-length"] ?? 0);
  const whole = createLatch();
  const aborted = new AbortController();
  let name: string | undefined;
  let storing: Promise<Received["stored"]> | undefined;
  let metadata: CallMetadata | undefined;
  let givenTranscript: Received["givenTranscript"] = null;
  try {
    if (announced > maxBytes + MAX_BYTES.metadata + MAX_BYTES.transcript + SLACK_BYTES) throw tooLarge("recording", maxBytes);
    for await (const part of partsOf(request, maxBytes)) {
      const { fieldname } = part;
      if (fieldname === "recording") {
        if (storing !== undefined) throw invalidAt("body/recording", "expected one file, got two");
        const consumed = createLatch();
        name = plainName(part.filename);
        storing = files.put(tenant, name, ReadableStream.from(gated(part.file, consumed, whole), { objectMode: false }), {
          maxBytes,
          signal: aborted.signal,
        });
        // Storing may fail long before the last byte has come.
        await Promise.race([consumed.opened, storing]);
      } else if (fieldname === "metadata") {
        if (metadata) throw invalidAt("body/metadata", "expected it once, got it twice");
        metadata = readMetadata(parseJson(await textOf(part), "body/metadata"));
      } else if (fieldname === "transcript") {
        if (givenTranscript) throw invalidAt("body/transcript", "expected one file, got two");
        givenTranscript = readTranscript(await bytesOf(part, MAX_BYTES.transcript), plainName(part.filename ?? "transcript"));
      } else throw invalidAt(`body/${fieldname}`, "expected recording, metadata or transcript");
    }
    if (storing === undefined || name === undefined) throw invalidAt("body/recording", "expected a file, got none");
    whole.open();
    return { name, stored: await storing, metadata: metadata ?? {}, givenTranscript };
  } catch (error) {
    const refusal = error instanceof CallsiftError ? error : brokenForm(error);
    whole.fail(refusal);
    aborted.abort(refusal);
    // What was written of it is gone before the answer.
    await storing?.catch(() => {});
    drain(request.raw);
    throw refusal;
  }
}

/** A client that is still sending hears the answer only once it has done so; who sends without end is cut off. */
function drain(raw: IncomingMessage): void {
  raw.unpipe();
  let bytes = 0;
  raw.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_DRAINED_BYTES) raw.destroy();
  });
  raw.resume();
}

/** Every part as a stream, whatever its type: so none is parsed, or kept in memory, before its name is known. */
async function* partsOf(request: FastifyRequest, maxBytes: number): AsyncIterable<MultipartFile> {
  const limits = { fileSize: maxBytes + 1, files: 8, parts: 8, headerPairs: 32, fieldNameSize: 100 };
  for await (const part of request.parts({ limits, isPartAFile: () => true })) {
    if (part.type !== "file") throw invalidAt("body", "expected parts of a form");
    yield part;
  }
}

/** The bytes, and then nothing until the whole form is known to be right: who stores them keeps them only then. */
async function* gated(file: Readable, consumed: Latch, whole: Latch): AsyncIterable<Buffer> {
  for await (const chunk of file as AsyncIterable<Buffer>) yield chunk;
  consumed.open();
  await whole.opened;
}

async function bytesOf({ file, fieldname }: MultipartFile, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of file as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(fieldname, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function textOf(part: MultipartFile): Promise<string> {
  const bytes = await bytesOf(part, MAX_BYTES.metadata);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CallsiftError("metadata/invalid", "metadata: expected JSON in UTF-8, got other bytes", { cause });
  }
}

function tooLarge(part: string, maxBytes: number): CallsiftError {
  return new CallsiftError("request/too-large", `body/${part}: expected at most ${maxBytes} bytes, got more`);
}

/** What the parser of forms says: too many parts, a boundary that never comes, a client that went away. Anything of ours or of the disk is none of it. */
function brokenForm(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const isOfForm = code.startsWith("FST_") || /multipart|part terminated|premature|boundary|malformed part|aborted/i.test(error.message);
  return isOfForm || code === "ECONNRESET"
    ? new CallsiftError("request/invalid", "body: expected a whole form of at most 8 parts, got one that breaks off or is malformed", {
        cause: error,
      })
    : error;
}

/** A promise that is opened, or failed, from outside. */
interface Latch {
  readonly opened: Promise<void>;
  open(): void;
  fail(error: unknown): void;
}

function createLatch(): Latch {
  let open: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  // Nobody may be waiting for it when it fails.
  opened.catch(() => {});
  return { opened, open, fail };
}
