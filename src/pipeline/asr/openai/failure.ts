import { CallsiftError, type ErrorCode } from "../../errors.ts";

/** Why a request failed, and what may be done about it. */
export interface Failure {
  readonly error: CallsiftError;
  /** Asked again, the server may answer. */
  readonly canHeal: boolean;
  /** How long the server wants to be left alone, ms. */
  readonly retryAfterMs: number | null;
  /** It understood the request and refuses its form: another one may do. */
  readonly isRefusal: boolean;
}

/** The errors of the `openai` package, as far as they are of use. */
interface PackageError {
  readonly status?: unknown;
  readonly headers?: unknown;
  readonly error?: unknown;
  readonly cause?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

/**
 * A failed request as a coded error. Neither it nor a cause of it holds what the package or the network said beyond one line, from which the secrets are taken
 * out: their errors carry addresses and headers.
 *
 * @param wallMs of now, for a Retry-After that is a date
 */
export function failureOf(thrown: unknown, secrets: readonly string[], wallMs: number): Failure {
  const coded = causesOf(thrown).find((error) => error instanceof CallsiftError);
  if (coded) return { error: coded, canHeal: false, retryAfterMs: null, isRefusal: false };
  const { status, headers, error } = (thrown ?? {}) as PackageError;
  if (typeof status !== "number") return networkFailure(thrown);
  const said = tidy(wordsOf(thrown), secrets);
  const kind = kindOf(status, codeIn(error));
  const told = said === "" || kind.code === "asr/unauthorised" ? "" : `: ${said}`;
  return {
    error: new CallsiftError(kind.code, `${kind.message} (${status})${told}`),
    canHeal: kind.canHeal,
    retryAfterMs: kind.canHeal && headers instanceof Headers ? retryAfterOf(headers, wallMs) : null,
    isRefusal: kind.code === "asr/failed" && (status === 400 || status === 422),
  };
}

interface Kind {
  readonly code: ErrorCode;
  readonly message: string;
  readonly canHeal: boolean;
}

function kindOf(status: number, code: string | null): Kind {
  if (status === 401 || status === 403)
    return { code: "asr/unauthorised", message: "the speech server refuses the key, or there is none", canHeal: false };
  if (status === 404 || code === "model_not_found")
    return { code: "asr/no-model", message: "the speech server has no such model, or takes no sound at this address", canHeal: false };
  if (status === 413)
    return { code: "asr/too-large", message: "the speech server refuses the piece of sound as too large", canHeal: false };
  // An account without credit is told the same way as a server under load; waiting helps only the second.
  if (status === 429) return { code: "asr/busy", message: "the speech server has too much to do", canHeal: code !== "insufficient_quota" };
  if (status >= 500 || status === 408 || status === 425)
    return { code: "asr/unreachable", message: "the speech server failed", canHeal: status !== 501 && status !== 505 };
  if (status < 400)
    return {
      code: "asr/bad-answer",
      message: "expected a transcription from the speech server, got a redirect, which is not followed",
      canHeal: false,
    };
  return { code: "asr/failed", message: "the speech server refuses the request", canHeal: false };
}

function networkFailure(thrown: unknown): Failure {
  const causes = causesOf(thrown) as readonly PackageError[];
  const codes = causes.flatMap(({ code }) => (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? [code] : []));
  const isJson = causes.some((cause) => cause instanceof SyntaxError);
  if (isJson) {
    const error = new CallsiftError("asr/bad-answer", "expected JSON from the speech server, got something else under that name");
    return { error, canHeal: false, retryAfterMs: null, isRefusal: false };
  }
  if (codes.some((code) => code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT")) {
    const error = new CallsiftError("asr/time-out", `expected the speech server to answer, got nothing for minutes (${codes[0]})`);
    return { error, canHeal: false, retryAfterMs: null, isRefusal: false };
  }
  const why = codes.length > 0 ? ` (${codes[0]})` : "";
  const error = new CallsiftError("asr/unreachable", `the speech server cannot be reached, or broke off${why}`);
  return { error, canHeal: true, retryAfterMs: null, isRefusal: false };
}

/** The error and what it says it came from. */
function causesOf(thrown: unknown): object[] {
  const causes: object[] = [];
  for (let next = thrown; typeof next === "object" && next !== null && causes.length < 8; next = (next as PackageError).cause)
    causes.push(next);
  return causes;
}

function codeIn(error: unknown): string | null {
  const code = typeof error === "object" && error !== null ? (error as PackageError).code : null;
  return typeof code === "string" ? code : null;
}

/** What the server says of the refusal: FastAPI's `detail` too. */
function wordsOf(thrown: unknown): string {
  const { message } = (thrown ?? {}) as PackageError;
  return typeof message === "string" ? message.replace(/^\d{3} /, "").replace(/^status code \(no body\)$/, "") : "";
}

/** One short line of plain characters, without secrets and markup. */
function tidy(text: string, secrets: readonly string[]): string {
  let plain = text.slice(0, 4_000);
  for (const secret of secrets) plain = plain.replaceAll(secret, "…");
  if (/^\s*</.test(plain)) return "a page of HTML";
  return plain
    .replace(/\bsk-[\w*-]+/g, "…")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 200);
}

/** RFC 9110: seconds, or a date; and OpenAI's `retry-after-ms`. */
function retryAfterOf(headers: Headers, wallMs: number): number | null {
  const ms = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (ms >= 0) return ms;
  const after = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? null : Math.max(0, date - wallMs);
}
