import { createHash } from "node:crypto";
import { CallsiftError } from "../../errors.ts";
import type { SpeechServer } from "../port.ts";

/** OpenAI's own. */
const OWN_BASE_URL = "https://api.openai.com/v1";

/** Where requests go, and what they carry to be let in. */
export interface ServerAddress {
  /** Without a user, a password or a slash at its end. */
  readonly baseUrl: string;
  /** The value of the `Authorization` header; null where the server asks for none. */
  readonly authorization: string | null;
  /** What no message may hold. */
  readonly secrets: readonly string[];
  /** Tells one address from another without naming it. */
  readonly fingerprint: string;
}

/**
 * Reads where the server is. A user and password in the address are for this very server, so they go before a key.
 *
 * @throws CallsiftError `asr/not-available`, which never shows the address or the key
 */
export function readAddress({ baseUrl, apiKey }: Pick<SpeechServer, "baseUrl" | "apiKey">): ServerAddress {
  const text = baseUrl ?? OWN_BASE_URL;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw unusable("an http or https address of the speech server", "something else (not shown, it may hold a password)");
  if (apiKey !== null && !/^[\x21-\x7E]+$/.test(apiKey))
    throw unusable("a key of visible ASCII characters without spaces", "something else (not shown)");
  if (baseUrl === null && apiKey === null) throw unusable("a key for OpenAI's own server, or another server's address", "neither");
  const user = decode(url.username);
  const password = decode(url.password);
  const basic = user !== "" || password !== "" ? Buffer.from(`${user}:${password}`).toString("base64") : null;
  url.username = "";
  url.password = "";
  url.hash = "";
  url.pathname = url.pathname.replace(/\/+$/, "");
  const plain = url.search === "" ? url.href.replace(/\/$/, "") : url.href;
  return {
    baseUrl: plain,
    authorization: basic !== null ? `Basic ${basic}` : apiKey !== null ? `Bearer ${apiKey}` : null,
    secrets: [apiKey, basic, password, url.password, ...url.searchParams.values()].flatMap((secret) => secret || []),
    fingerprint: createHash("sha256").update(plain).digest("hex").slice(0, 8),
  };
}

function unusable(expected: string, got: string): CallsiftError {
  return new CallsiftError("asr/not-available", `expected ${expected}, got ${got}`);
}

/** A lone % is itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
