import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { type Connection, type Model, Schema } from "mongoose";
import { CallsiftError } from "../pipeline/errors.ts";
import type { NewCall } from "./calls.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { bytesOf } from "./packed.ts";

/** A transcript that came with a call: too large for the calls themselves, which are changed often and read in lists. */
interface SourceDocument {
  readonly _id: string;
  readonly v: 1;
  readonly name: string;
  /** Compressed by gzip, UTF-8. */
  readonly text: Buffer;
  /** When it was written, until its call is known to be there as well. */
  readonly pendingSince?: Date;
}

const schema = new Schema<SourceDocument>(
  { _id: { type: String, required: true }, v: Number, name: { type: String, default: "" }, text: Buffer, pendingSince: Date },
  STRICT,
);
schema.index({ pendingSince: 1 }, { name: "pending", partialFilterExpression: { pendingSince: { $exists: true } } });

/** The model of the collection `call-sources`. */
export function sourceModel(connection: Connection): Model<SourceDocument> {
  return modelOf(connection, "call-sources", schema);
}

/** MongoDB takes documents of 16 MiB. */
const MAX_BYTES = 15 * 1024 * 1024;

/**
 * Keeps the transcript of a call that is about to be accepted.
 *
 * @throws CallsiftError `transcript/too-large`
 */
export async function keepSource(model: Model<SourceDocument>, id: string, given: NonNullable<NewCall["givenTranscript"]>): Promise<void> {
  const text = await promisify(gzip)(given.text, { level: 1 });
  if (text.length > MAX_BYTES) {
    throw new CallsiftError("transcript/too-large", `expected at most ${MAX_BYTES} bytes when compressed, got ${text.length}`);
  }
  await model.replaceOne({ _id: id }, { _id: id, v: 1, name: given.name, text, pendingSince: new Date() }, { upsert: true });
}

/** The transcript that came with the call; null where there was none. */
export async function sourceOf(model: Model<SourceDocument>, id: string): Promise<NewCall["givenTranscript"]> {
  const found = await model.findOne({ _id: id }).lean<SourceDocument>();
  return found && { name: found.name, text: (await promisify(gunzip)(bytesOf(found.text))).toString("utf8") };
}
