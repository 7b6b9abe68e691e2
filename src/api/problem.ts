import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { CallsiftError, type ErrorCode } from "../pipeline/errors.ts";

/** HTTP status of every code; a code without one doesn't compile. */
export const STATUS = {
  "audio/not-found": 422,
  "audio/forbidden": 422,
  "audio/not-a-file": 422,
  "audio/empty": 422,
  "audio/unreadable": 422,
  "audio/unsupported": 422,
  "audio/no-sound": 422,
  "audio/refused": 422,
  "audio/too-long": 422,
  "audio/too-many-channels": 422,
  "audio/bad-rate": 422,
  "audio/legs-mismatch": 422,
  "audio/time-out": 503,
  "audio/too-large": 422,
  "audio/no-decoder": 503,
  "transcript/unreadable": 400,
  "transcript/invalid": 400,
  "transcript/too-large": 413,
  "transcript/mismatch": 422,
  "metadata/invalid": 400,
  "rules/invalid": 400,
  "rules/example-failed": 422,
  "form/invalid": 400,
  "asr/not-available": 503,
  "asr/failed": 503,
  "asr/time-out": 503,
  "asr/unreachable": 503,
  "asr/unauthorised": 503,
  "asr/no-model": 503,
  "asr/too-large": 503,
  "asr/busy": 503,
  "asr/bad-answer": 503,
  "weights/unknown": 503,
  "weights/missing": 503,
  "weights/damaged": 503,
  "weights/foreign": 503,
  "weights/unreachable": 503,
  "weights/unsafe-archive": 503,
  "weights/no-space": 503,
  "vad/unavailable": 503,
  "output/unwritable": 503,
  "auth/required": 401,
  "auth/forbidden": 403,
  "auth/bad-credentials": 401,
  "auth/too-many-tries": 429,
  "auth/bad-origin": 403,
  "request/invalid": 400,
  "request/not-found": 404,
  "request/too-large": 413,
  "request/unsupported-type": 415,
  "request/rate-limited": 429,
  "request/conflict": 409,
  "call/not-failed": 409,
  "call/crashed": 409,
  "review/claimed": 409,
  "review/not-claimed": 409,
  "review/stale": 409,
  "review/incomplete": 422,
  "review/not-scored": 409,
  "search/bad-query": 400,
  "recording/gone": 410,
  "recording/unreachable": 503,
  "source/refused": 422,
  "source/failed": 502,
  "output/no-space": 507,
  "store/no-program": 503,
  "store/in-use": 503,
  "store/not-ready": 503,
  "store/unreachable": 503,
  "store/damaged": 500,
  "queue/unreachable": 503,
  "config/invalid": 500,
  "usage/invalid": 500,
  aborted: 503,
  "internal/bug": 500,
} as const satisfies Record<ErrorCode, number>;

/** What every answer of 400 and above holds. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Seconds that a client should wait, taken from `details.retryAfterS` into the header. */
const RETRY_AFTER = "retryAfterS";

/** Fastify's own refusals, by their status. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "auth/required",
  403: "auth/forbidden",
  404: "request/not-found",
  409: "request/conflict",
  413: "request/too-large",
  415: "request/unsupported-type",
  429: "request/rate-limited",
};

/** An error as it leaves: a coded one by the table, a refusal of the framework by its status, anything else a bug without particulars. */
export function problemOf(error: unknown): { readonly status: number; readonly problem: Problem; readonly isBug: boolean } {
  if (error instanceof CallsiftError) {
    const status = STATUS[error.code];
    // What went wrong inside is for the log, with the request's id.
    if (error.code === "internal/bug") return bug();
    return {
      status,
      problem: { code: error.code, message: error.message, ...(error.details && { details: error.details }) },
      isBug: status === 500,
    };
  }
  if (isRefusal(error)) {
    const { statusCode } = error;
    return { status: statusCode, problem: { code: CODE_OF_STATUS[statusCode] ?? "request/invalid", message: error.message }, isBug: false };
  }
  return bug();
}

function bug() {
  return {
    status: 500,
    problem: { code: "internal/bug" as const, message: "a fault in callsift itself; the log has it under the request's id" },
    isBug: true,
  };
}

type Refusal = FastifyError & { readonly statusCode: number };

function isRefusal(error: unknown): error is Refusal {
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
}

/** One of the two translators of errors (design §5): everything that a route throws ends here. */
export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, problem, isBug } = problemOf(error);
  if (isBug) request.log.error({ err: error }, "internal fault");
  else if (status >= 500) request.log.warn({ code: problem.code, err: error }, "request failed");
  // Headers may have been set for the answer that never came, e.g. of a stream.
  for (const name of ["content-length", "content-range", "content-disposition", "etag", "accept-ranges"]) reply.removeHeader(name);
  const retryAfter = problem.details?.[RETRY_AFTER];
  if (typeof retryAfter === "number") void reply.header("retry-after", Math.max(1, Math.ceil(retryAfter)));
  void reply.status(status).header("cache-control", "no-store").type("application/json; charset=utf-8").send(problem);
}

/** What is not there, or may not be seen: one sentence for both. */
export function notFound(what = "nothing at this address"): CallsiftError {
  return new CallsiftError("request/not-found", what);
}
