import { setTimeout as sleep } from "node:timers/promises";
import { CallsiftError } from "../pipeline/errors.ts";
import { openPart, type Part, type Wanted } from "./part.ts";

/** What came. */
export interface Got {
  readonly bytes: number;
  readonly sha256: string;
}

/** How long sources are waited for. */
export interface Patience {
  /** From the request to the answer's head, ms. */
  readonly answerMs: number;
  /** Without a byte of the body, ms. */
  readonly stallMs: number;
  /** Between a cut and going on, ms. */
  readonly pauseMs: number;
}

export const PATIENCE: Patience = { answerMs: 5_000, stallMs: 20_000, pauseMs: 500 };

export interface DownloadOptions {
  /** The whole file will lie here; until then `<path>.part` and `<path>.part.json` do. */
  readonly path: string;
  readonly patience: Patience;
  /** Bytes of the file that are there, those of an earlier try among them. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Cuts in a row without a new byte in between that are put up with. */
const MAX_VAIN_TRIES = 3;
/** No file of weights is larger: an answer without an end is not waited for. */
const MAX_BYTES = 16 * 1024 ** 3;

/** The connection broke off, or nothing came any more: going on from there may help. */
class Cut extends Error {}
/** The part that was there does not fit: once more from the beginning. */
class StartOver extends Error {}

/**
 * Fetches one file over HTTP, goes on where an earlier try was cut, and checks it. The part is kept unless its bytes are wrong.
 *
 * @throws CallsiftError `weights/unreachable` (nothing came, or not all of it), `weights/damaged` (something else came), `weights/no-space`, `aborted`
 */
export async function downloadFile(url: string, wanted: Wanted, options: DownloadOptions): Promise<Got> {
  const { path, patience, signal } = options;
  const part = await openPart(path, url, wanted);
  try {
    let vain = 0;
    let resumed = part.bytes > 0;
    for (;;) {
      const before = part.bytes;
      try {
        await fetchRest(url, wanted, part, options);
        const got = { bytes: part.bytes, sha256: part.hash.copy().digest("hex") };
        if (wanted.sha256 === null || got.sha256 === wanted.sha256) {
          await part.finish();
          return got;
        }
        await part.restart();
        if (!resumed) throw damaged(wanted, `sha256 ${wanted.sha256}`, got.sha256);
        resumed = false; // the part of the earlier try may have been the wrong one
      } catch (error) {
        if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request", { cause: error });
        if (error instanceof StartOver) {
          if (before === 0) throw damaged(wanted, "the file from its beginning", error.message);
          await part.restart();
          resumed = false;
        } else if (error instanceof Cut) {
          vain = part.bytes > before ? 0 : vain + 1;
          if (vain >= MAX_VAIN_TRIES) throw new CallsiftError("weights/unreachable", `${hostOf(url)}: ${error.message}`, { cause: error });
          await sleep(patience.pauseMs, undefined, signal ? { signal } : {}).catch(() => {});
        } else throw coded(error, url);
      }
    }
  } finally {
    await part.close();
  }
}

/** Asks for what is missing and writes it down. */
async function fetchRest(url: string, wanted: Wanted, part: Part, { patience, onBytes, signal }: DownloadOptions): Promise<void> {
  // Without a validator or a known hash nobody would notice that the rest is of another file.
  if (part.bytes > 0 && part.validator === null && wanted.sha256 === null) await part.restart();
  onBytes?.(part.bytes);
  if (wanted.bytes !== null && part.bytes === wanted.bytes) return;
  const timer = new AbortController();
  const late = (ms: number) => setTimeout(() => timer.abort(), ms);
  let watch = late(patience.answerMs);
  try {
    const response = await request(url, part, AbortSignal.any(signal ? [signal, timer.signal] : [timer.signal])).catch((error: unknown) => {
      throw new CallsiftError("weights/unreachable", `${hostOf(url)}: ${timer.signal.aborted ? "no answer in time" : reasonOf(error)}`, {
        cause: error,
      });
    });
    clearTimeout(watch);
    watch = late(patience.stallMs);
    try {
      await takeHead(response, url, wanted, part);
      const limit = wanted.bytes ?? MAX_BYTES;
      for await (const chunk of response.body ?? []) {
        clearTimeout(watch);
        watch = late(patience.stallMs);
        if (part.bytes === 0 && looksLikePage(chunk)) throw damaged(wanted, "a file", "a page of HTML");
        if (part.bytes + chunk.length > limit) throw damaged(wanted, `${limit} bytes`, "more");
        await part.append(chunk);
        onBytes?.(part.bytes);
      }
    } catch (error) {
      await response.body?.cancel().catch(() => {});
      if (error instanceof CallsiftError || error instanceof StartOver) {
        if (error instanceof CallsiftError && error.code === "weights/damaged") await part.restart();
        throw error;
      }
      if (isNoSpace(error)) throw error;
      throw new Cut(timer.signal.aborted ? `no byte for ${Math.round(patience.stallMs / 1000)} s` : `broken off: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    const length = wanted.bytes ?? part.total;
    if (length !== null && part.bytes < length) throw new Cut(`broken off at ${part.bytes} of ${length} bytes`);
  } finally {
    clearTimeout(watch);
  }
}

async function request(url: string, part: Part, signal: AbortSignal): Promise<Response> {
  const address = new URL(url);
  const headers = new Headers({ accept: "*/*", "accept-encoding": "identity" });
  // fetch refuses an address with a password in it.
  if (address.username !== "" || address.password !== "") {
    const pair = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
    address.username = "";
    address.password = "";
  }
  if (part.bytes > 0) {
    headers.set("range", `bytes=${part.bytes}-`);
    if (part.validator !== null) headers.set("if-range", part.validator);
  }
  return await fetch(address, { headers, signal });
}

/** Judges the answer's head, and brings the part in line with it. */
async function takeHead(response: Response, url: string, wanted: Wanted, part: Part): Promise<void> {
  const { status, headers } = response;
  if (url.startsWith("https:") && response.url.startsWith("http:"))
    throw new CallsiftError("weights/unreachable", `${hostOf(url)}: leads to an address without TLS`);
  if (status === 416) throw new StartOver("status 416");
  if (status !== 200 && status !== 206) throw new CallsiftError("weights/unreachable", `${hostOf(url)}: status ${status}`);

  const encoded = (headers.get("content-encoding") ?? "identity") !== "identity";
  const length = encoded || !headers.has("content-length") ? null : Number(headers.get("content-length"));
  let total = length;
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
    if (encoded || range?.[1] === undefined || Number(range[1]) !== part.bytes) throw new StartOver("another range");
    total = range[2] === "*" || range[2] === undefined ? null : Number(range[2]);
  }
  if (wanted.bytes !== null && total !== null && total !== wanted.bytes) throw damaged(wanted, `${wanted.bytes} bytes`, String(total));
  // The whole file again: the server knows no ranges, or the file is another one by now.
  if (status === 200 && part.bytes > 0) await part.restart();
  const etag = headers.get("etag");
  const validator = encoded ? null : etag !== null && !etag.startsWith("W/") ? etag : headers.get("last-modified");
  await part.note({ url, validator, total });
}

/** Whether these first bytes are those of a web page; a list of tokens may begin with `<`, too. */
function looksLikePage(bytes: Uint8Array): boolean {
  return /^\s*<(!doctype|html|head|body|\?xml)/i.test(Buffer.from(bytes.subarray(0, 256)).toString("latin1"));
}

/** Host of an address, for people: a path may hold a token, the part before the host a password. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "(no address)";
}

function damaged({ name }: Wanted, expected: string, came: string): CallsiftError {
  return new CallsiftError("weights/damaged", `${name}: expected ${expected}, got ${came}`);
}

function isNoSpace(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException)?.code ?? "");
}

function coded(error: unknown, url: string): unknown {
  return isNoSpace(error) ? new CallsiftError("weights/no-space", `the disk is full (from ${hostOf(url)})`, { cause: error }) : error;
}

/** fetch wraps the reason that people understand. */
function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code !== undefined) return code;
    if (!(at.cause instanceof Error)) return at.message;
  }
  return String(error);
}
