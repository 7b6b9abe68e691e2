import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { basename } from "node:path";
import { type Readable, Transform } from "node:stream";
import { Agent, type Dispatcher, request } from "undici";
import { CallsiftError } from "../pipeline/errors.ts";
import { refusedAddress } from "./addresses.ts";
import { isAllowedHost } from "./allowed-host.ts";

/** All addresses of a name. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface SafeFetchOptions {
  /** Hosts that may be asked, e.g. `rec.example.com`, `*.example.com`, `rec.example.com:8443`; null: any. */
  readonly allowedHosts: readonly string[] | null;
  /** Whether they may be at private or loopback addresses. */
  readonly privateAddresses: boolean;
  /** Of the answer's body. */
  readonly maxBytes: number;
  /** For all of it: names, redirects, the body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Sent instead of a GET; redirects are then not followed. */
  readonly post?: { readonly body: string; readonly headers: Readonly<Record<string, string>> };
  readonly lookup?: Lookup;
}

export interface Fetched {
  /** Of a GET always 200 to 299. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Fails with `request/too-large`, `source/failed` or `aborted`; to be read to its end or destroyed. */
  readonly body: Readable;
  /** What the answer is called: by its header, else by the last part of the address. */
  readonly name: string;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Fetches from an address that somebody else has chosen. Names are resolved once, every address of them is checked, and what was checked is what is connected to; each redirect is checked like the
 * first address.
 *
 * @throws CallsiftError `source/refused`, `source/failed`, `request/too-large`, `aborted`
 */
export async function safeFetch(address: string, options: SafeFetchOptions): Promise<Fetched> {
  const ends = AbortSignal.any([AbortSignal.timeout(options.timeoutMs), ...(options.signal ? [options.signal] : [])]);
  const agent = new Agent({
    connect: { lookup: checkedLookup(options), timeout: options.timeoutMs },
    headersTimeout: options.timeoutMs,
    bodyTimeout: options.timeoutMs,
    maxHeaderSize: 32 * 1024,
    pipelining: 0,
  });
  try {
    let url = checkedUrl(address, options);
    for (let redirects = 0; ; redirects++) {
      const answer = await ask(url, agent, options, ends);
      const { location } = answer.headers;
      if (options.post || !REDIRECTS.includes(answer.statusCode) || typeof location !== "string")
        return fetched(answer, url, agent, options);
      answer.body.on("error", () => {}).destroy();
      if (redirects === MAX_REDIRECTS) throw new CallsiftError("source/failed", `expected at most ${MAX_REDIRECTS} redirects, got more`);
      const next = checkedUrl(location, options, url);
      if (url.protocol === "https:" && next.protocol !== "https:")
        throw new CallsiftError("source/refused", "expected a redirect that stays with https, got one to http");
      url = next;
    }
  } catch (error) {
    await agent.destroy();
    throw translated(error, options);
  }
}

function checkedUrl(address: string, { allowedHosts, privateAddresses }: SafeFetchOptions, base?: URL): URL {
  if (!URL.canParse(address, base?.href))
    throw new CallsiftError("source/refused", "expected an http or https address, got something else");
  const url = new URL(address, base?.href);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new CallsiftError("source/refused", `expected an http or https address, got ${url.protocol.slice(0, 40)}`);
  if (url.username !== "" || url.password !== "")
    throw new CallsiftError("source/refused", "expected an address without a name and password in it, got one with them");
  if (allowedHosts && !isAllowedHost(url, allowedHosts))
    throw new CallsiftError(
      "source/refused",
      `expected a host that recordings may be fetched from (CALLSIFT_ALLOWED_HOSTS), got ${url.host}`,
    );
  // A name is checked when it is resolved; what is an address already never is.
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  const why = isIP(literal) === 0 ? null : refusedAddress(literal, { privateAddresses });
  if (why !== null) throw new CallsiftError("source/refused", `expected a public address, got ${why}`);
  return url;
}

/** For net.connect: what it is given is what it connects to. */
function checkedLookup({ privateAddresses, lookup = systemAddresses }: SafeFetchOptions): LookupFunction {
  return (hostname, { all }, answer) => {
    const resolve = async (): Promise<void> => {
      const found = await lookup(hostname);
      const why = found.map(({ address }) => refusedAddress(address, { privateAddresses })).find((reason) => reason !== null);
      if (why) throw new CallsiftError("source/refused", `expected a public address behind ${hostname}, got ${why}`);
      const [first] = found;
      if (!first) throw new CallsiftError("source/failed", `expected an address behind ${hostname}, got none`);
      if (all) answer(null, [...found]);
      else answer(null, first.address, first.family);
    };
    resolve().catch((error: NodeJS.ErrnoException) => answer(error, "", 0));
  };
}

const systemAddresses: Lookup = (hostname) => systemLookup(hostname, { all: true });

function ask(url: URL, dispatcher: Dispatcher, { post }: SafeFetchOptions, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  // As it is stored: a compressed answer could be larger than any limit once it is unpacked.
  const headers = { "accept-encoding": "identity", "user-agent": "callsift" };
  if (!post) return request(url, { dispatcher, signal, headers });
  return request(url, { dispatcher, signal, method: "POST", headers: { ...headers, ...post.headers }, body: post.body });
}

function fetched({ statusCode, headers, body }: Dispatcher.ResponseData, url: URL, agent: Agent, options: SafeFetchOptions): Fetched {
  if (!options.post && (statusCode < 200 || statusCode > 299)) {
    body.on("error", () => {}).destroy();
    throw new CallsiftError("source/failed", `expected an answer with a status of 200 to 299, got ${statusCode}`);
  }
  const told = Number(headers["content-length"] ?? 0);
  if (told > options.maxBytes) {
    body.on("error", () => {}).destroy();
    throw tooLarge(options.maxBytes);
  }
  let seen = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > options.maxBytes) done(tooLarge(options.maxBytes));
      else done(null, chunk);
    },
    destroy(error, done) {
      body.destroy();
      void agent.destroy().then(
        () => done(error),
        () => done(error),
      );
    },
  });
  body.on("error", (error) => limited.destroy(translated(error, options)));
  body.pipe(limited);
  return { status: statusCode, headers, body: limited, name: nameOf(headers["content-disposition"], url) };
}

function tooLarge(maxBytes: number): CallsiftError {
  return new CallsiftError("request/too-large", `expected at most ${maxBytes} bytes, got more`);
}

function translated(error: unknown, { signal, timeoutMs }: SafeFetchOptions): CallsiftError {
  if (error instanceof CallsiftError) return error;
  if (signal?.aborted) return new CallsiftError("aborted", "stopped on request", { cause: error });
  const why = error instanceof Error ? (error.name === "TimeoutError" ? `no answer within ${timeoutMs} ms` : error.message) : String(error);
  return new CallsiftError("source/failed", `expected an answer, got: ${why}`, { cause: error });
}

/** The last part of a name only, whatever separates them, without control characters. */
function nameOf(disposition: string | string[] | undefined, { pathname }: URL): string {
  const header = Array.isArray(disposition) ? disposition[0] : disposition;
  const told = /filename\*=UTF-8''([^;]+)/i.exec(header ?? "")?.[1] ?? /filename="?([^";]+)"?/i.exec(header ?? "")?.[1];
  const name = basename(decoded(told ?? pathname).replaceAll("\\", "/"))
    .replace(/\p{Cc}+/gu, " ")
    .trim();
  return name === "" || name === "." || name === ".." ? "recording" : name.slice(0, 255);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
