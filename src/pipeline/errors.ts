/**
 * Every failure that callsift names. `docs/reference/errors.md` lists the same codes; a test holds them equal.
 * `healable` failures may succeed when tried again unchanged (a full disk, a time-out on a busy machine).
 */
export const ERRORS = {
  "audio/not-found": { healable: false, meaning: "There is no file at this path." },
  "audio/forbidden": { healable: false, meaning: "The file may not be read by this user." },
  "audio/not-a-file": { healable: false, meaning: "The path is a directory, a pipe, a device or a socket." },
  "audio/empty": { healable: false, meaning: "The file, or the sound in it, has no samples." },
  "audio/unreadable": { healable: false, meaning: "The file is not a recording, or too damaged to decode." },
  "audio/unsupported": { healable: false, meaning: "A recording, but of a coding that cannot be decoded here." },
  "audio/no-sound": { healable: false, meaning: "A media file without an audio stream." },
  "audio/refused": { healable: false, meaning: "A playlist, a device or a network format, which are never opened." },
  "audio/too-long": { healable: false, meaning: "Longer than 24 hours." },
  "audio/too-many-channels": { healable: false, meaning: "More than 8 channels." },
  "audio/bad-rate": { healable: false, meaning: "A sample rate outside 4,000 to 192,000 Hz." },
  "audio/legs-mismatch": { healable: false, meaning: "The two files of one call do not fit together." },
  "audio/time-out": { healable: true, meaning: "Decoding took longer than the time limit." },
  "audio/too-large": { healable: false, meaning: "Decoded, the recording is larger than the output limit." },
  "audio/no-decoder": { healable: false, meaning: "No ffmpeg program was found." },
  "transcript/unreadable": { healable: false, meaning: "The transcript file is of no format that callsift reads." },
  "transcript/invalid": {
    healable: false,
    meaning: "The transcript's content breaks its format: a wrong type, a reversed or negative time.",
  },
  "transcript/too-large": { healable: false, meaning: "The transcript has more utterances or bytes than a call can hold." },
  "transcript/mismatch": { healable: false, meaning: "The transcript is not of this recording." },
  "metadata/invalid": { healable: false, meaning: "The metadata beside a recording, or a metadata table, is not as contracts.md §3 says." },
  "rules/invalid": { healable: false, meaning: "A rule file that breaks the schema, or names an unknown operator or option." },
  "rules/example-failed": { healable: false, meaning: "A rule's must-hit or must-not-hit example came out otherwise." },
  "form/invalid": { healable: false, meaning: "A scoring form that breaks the schema, or whose weights don't add up." },
  "asr/not-available": { healable: false, meaning: "The engine asked for is not installed or not configured." },
  "asr/failed": { healable: true, meaning: "The recogniser stopped with an error." },
  "asr/time-out": { healable: true, meaning: "The recogniser took longer than the time limit." },
  "asr/unreachable": { healable: true, meaning: "The recognition server cannot be reached, or broke off." },
  "asr/unauthorised": { healable: false, meaning: "The recognition server refuses the key (401, 403)." },
  "asr/no-model": { healable: false, meaning: "The recognition server does not have the model (404)." },
  "asr/too-large": { healable: false, meaning: "The recognition server refuses a piece of sound as too large (413)." },
  "asr/busy": { healable: true, meaning: "The recognition server has too much to do (429)." },
  "asr/bad-answer": { healable: true, meaning: "The recognition server answered something that is no transcription." },
  "weights/unknown": { healable: false, meaning: "No weights of that name are in the catalogue, or installed." },
  "weights/missing": { healable: false, meaning: "The weights are not installed, or a file of theirs is not there." },
  "weights/damaged": { healable: false, meaning: "A weights file is cut, or its checksum is another." },
  "weights/foreign": { healable: false, meaning: "The files are no weights that callsift knows, or of two different models." },
  "weights/unreachable": { healable: true, meaning: "None of the sources of the weights can be reached." },
  "weights/unsafe-archive": { healable: false, meaning: "An archive that would write outside its own folder." },
  "weights/no-space": { healable: true, meaning: "The disk has no room for the weights." },
  "vad/unavailable": { healable: false, meaning: "The speech detector's weights are missing or damaged." },
  "output/unwritable": { healable: true, meaning: "A result could not be written." },
  "auth/required": { healable: false, meaning: "Nobody is signed in, or the session or token has ended." },
  "auth/forbidden": { healable: false, meaning: "Signed in, but without the right to do this." },
  "auth/bad-credentials": { healable: false, meaning: "The username or the password is wrong." },
  "auth/too-many-tries": {
    healable: true,
    meaning: "Too many wrong passwords for this user or address; Retry-After says when the next may come.",
  },
  "auth/bad-origin": { healable: false, meaning: "A change was asked for by a page of another site." },
  "request/invalid": { healable: false, meaning: "The request is not as the reference says; the message names the path." },
  "request/not-found": { healable: false, meaning: "There is nothing at this address, or it may not be seen." },
  "request/too-large": { healable: false, meaning: "The request, or the recording in it, is larger than the limit." },
  "request/unsupported-type": { healable: false, meaning: "The content type is none that this address takes." },
  "request/rate-limited": { healable: true, meaning: "Too many requests; Retry-After says when the next may come." },
  "request/conflict": { healable: false, meaning: "The object is there already, or has changed meanwhile." },
  "call/not-failed": { healable: false, meaning: "Only a failed call can be tried again." },
  "call/crashed": { healable: false, meaning: "Working on the call has brought the worker down twice; it is set aside." },
  "review/claimed": { healable: false, meaning: "Somebody else has claimed the call; the details say who and until when." },
  "review/not-claimed": { healable: false, meaning: "A review can be saved only by who has claimed the call." },
  "review/stale": { healable: false, meaning: "The review has a newer version; the details hold it." },
  "review/incomplete": {
    healable: false,
    meaning: "A review cannot be submitted while deducting findings are undecided; the details name them.",
  },
  "review/not-scored": { healable: false, meaning: "The call has no pre-score yet, so there is nothing to review." },
  "search/bad-query": { healable: false, meaning: "The search is not well formed; the details hold the position." },
  "recording/gone": { healable: false, meaning: "The bytes of the recording are not there any more." },
  "recording/unreachable": { healable: true, meaning: "The storage of recordings cannot be reached, or broke off." },
  "source/refused": { healable: false, meaning: "A recording's address whose host is not allowed, or that leads to a private address." },
  "source/failed": { healable: true, meaning: "A recording could not be fetched from its address." },
  "output/no-space": { healable: true, meaning: "The disk has no room for another recording." },
  "store/no-program": { healable: false, meaning: "No database program was found, and none could be fetched." },
  "store/in-use": { healable: false, meaning: "Another process owns this data folder." },
  "store/not-ready": { healable: true, meaning: "The local database did not become ready in time." },
  "store/unreachable": { healable: true, meaning: "The database cannot be reached, or broke off." },
  "store/damaged": { healable: false, meaning: "Data that is not what was saved: a checksum or a count differs." },
  "queue/unreachable": { healable: true, meaning: "Redis cannot be reached, or broke off." },
  "config/invalid": { healable: false, meaning: "One or more settings are wrong; all are named at once." },
  "usage/invalid": { healable: false, meaning: "A command was called with unknown or contradictory arguments." },
  aborted: { healable: true, meaning: "Stopped on request before it was done." },
  "internal/bug": { healable: false, meaning: "A fault in callsift itself. Please report it." },
} as const satisfies Record<string, { healable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure with a code of the table; the message says what was expected and what came. */
export class CallsiftError extends Error {
  readonly code: ErrorCode;
  /** What a program needs of the message, e.g. `{ position }` of a bad query; leaves with the answer, so nothing secret. */
  readonly details?: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; details?: Readonly<Record<string, unknown>> }) {
    super(message, options);
    this.name = "CallsiftError";
    this.code = code;
    if (options?.details) this.details = options.details;
  }
}

/** The error as a coded one: itself, `aborted` for an AbortError, else a bug that keeps its cause. */
export function toCallsiftError(error: unknown): CallsiftError {
  if (error instanceof CallsiftError) return error;
  if (error instanceof Error && error.name === "AbortError") return new CallsiftError("aborted", "stopped on request", { cause: error });
  return new CallsiftError("internal/bug", error instanceof Error ? error.message : String(error), { cause: error });
}
