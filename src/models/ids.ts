import mongoose from "mongoose";

/**
 * A new id: 24 hexadecimal digits that grow with time, so that documents lie in the order in which they came. Never digits alone: BullMQ takes a job id
 * that is a number for one of its own.
 */
export function newId(): string {
  for (;;) {
    const id = new mongoose.Types.ObjectId().toHexString();
    if (/[a-f]/.test(id)) return id;
  }
}

/** The id of a call, made before its bytes are stored. */
export const newCallId = newId;

/** Whether this is an id of the shape that newId makes. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{24}$/.test(value);
}
