import type { NewCall } from "../../models/calls.ts";
import type { RecordingFiles } from "../../models/recording-files.ts";
import { parseTranscript } from "../../pipeline/asr/import/formats.ts";
import { decodeSource } from "../../pipeline/asr/import/source.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { parseMetadata } from "../../pipeline/metadata.ts";
import type { CallMetadata } from "../../pipeline/types.ts";
import { invalidAt } from "../validate.ts";

/** A call that is on disk, and not yet in the database. */
export interface Received {
  readonly name: string;
  readonly stored: Awaited<ReturnType<RecordingFiles["put"]>>;
  readonly metadata: CallMetadata;
  readonly givenTranscript: NewCall["givenTranscript"];
}

/** Without the folders that a client's name may carry, and without what a terminal or a header would stumble over. */
export function plainName(name: string | undefined): string {
  const last = (name ?? "").split(/[/\\]/).at(-1) ?? "";
  const plain = last
    .slice(-200)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, "")
    .trim();
  return plain === "" || /^\.+$/.test(plain) ? "recording" : plain;
}

/**
 * Metadata that comes with a recording.
 *
 * @throws CallsiftError `metadata/invalid`
 */
export function readMetadata(json: unknown): CallMetadata {
  const metadata = parseMetadata(json, "metadata");
  if (metadata.legs) throw new CallsiftError("metadata/invalid", "metadata: expected no legs where one recording is handed in");
  return metadata;
}

/**
 * A transcript that comes with a recording, seen to be of a format that callsift reads; against the sound it is held when the call is listened to.
 *
 * @throws CallsiftError `transcript/unreadable`, `transcript/invalid`, `transcript/too-large`
 */
export function readTranscript(bytes: Uint8Array, name: string): NonNullable<NewCall["givenTranscript"]> {
  const source = decodeSource(bytes);
  if (parseTranscript(source).utterances.length === 0)
    throw invalidAt("body/transcript", "expected a transcript with words, got one without");
  return { name, text: source.text };
}
