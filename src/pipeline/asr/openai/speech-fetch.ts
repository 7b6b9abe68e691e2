import { CallsiftError } from "../../errors.ts";

/** An answer with times for every word of 30 s takes some tens of KB. */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;
/** Of a refusal only its first words are wanted, and not for long. */
const MAX_REFUSAL_BYTES = 16 * 1024;
const MAX_REFUSAL_MS = 2_000;
/** What the protocol needs; the package adds a dozen headers on the machine it runs on, and whatever OPENAI_CUSTOM_HEADERS says. */
const SENT_HEADERS = ["accept", "content-type", "user-agent"] as const;

/**
 * `fetch` for the `openai` package, which reads answers of any length: reads at most 2 MB, follows no redirect (sound goes to the address that was set and to no
 * other), and adds the key, so that the package never has it.
 */
export function createSpeechFetch(authorization: string | null): typeof fetch {
  return async (input, init) => {
    const given = new Headers(init?.headers);
    const headers = new Headers();
    for (const name of SENT_HEADERS) {
      const value = given.get(name);
      if (value !== null) headers.set(name, value);
    }
    if (authorization !== null) headers.set("authorization", authorization);
    const response = await fetch(input, { ...init, headers, redirect: "manual" });
    const body = response.ok ? await readAnswer(response) : await readRefusal(response);
    const kept = new Headers(response.headers);
    kept.delete("content-encoding");
    kept.delete("content-length");
    const { status } = response;
    return new Response(status === 204 || status === 205 || status === 304 ? null : body, { status, headers: kept });
  };
}

async function readAnswer(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new CallsiftError("asr/bad-answer", `expected an answer of at most ${MAX_ANSWER_BYTES} bytes from the speech server, got more`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** As much as comes soon: the status alone says what matters. */
async function readRefusal(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  const timer = setTimeout(() => void reader?.cancel().catch(() => undefined), MAX_REFUSAL_MS);
  try {
    while (reader && bytes < MAX_REFUSAL_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      bytes += value.length;
    }
  } catch {
    // It broke off, or the caller did; the caller's own signal tells.
  } finally {
    clearTimeout(timer);
    await reader?.cancel().catch(() => undefined);
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, MAX_REFUSAL_BYTES));
}
