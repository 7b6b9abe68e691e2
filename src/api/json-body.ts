import type { FastifyInstance } from "fastify";
import { CallsiftError } from "../pipeline/errors.ts";

/** A request of ours is nested five deep. */
const MAX_DEPTH = 32;

/**
 * JSON of a request; nesting beyond reason and keys that would reach a prototype are refused before anything walks over them.
 *
 * @throws CallsiftError `request/invalid`
 */
export function parseJson(text: string, where: string): unknown {
  if (depthOf(text) > MAX_DEPTH)
    throw new CallsiftError("request/invalid", `${where}: expected JSON nested at most ${MAX_DEPTH} deep, got deeper`);
  try {
    return JSON.parse(text, refusePrototype) as unknown;
  } catch (cause) {
    if (cause instanceof CallsiftError) throw cause;
    throw new CallsiftError("request/invalid", `${where}: expected JSON, got something else`, { cause });
  }
  function refusePrototype(key: string, value: unknown): unknown {
    if (key === "__proto__" || key === "constructor" || key === "prototype")
      throw new CallsiftError("request/invalid", `${where}: expected no field ${key}`);
    return value;
  }
}

/** The deepest nesting of brackets, strings left out; stops where it is enough to refuse. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length && deepest <= MAX_DEPTH; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      // To the closing quote, escapes passed over.
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/** Bodies are JSON in UTF-8; an empty one is none, whatever its type says (many clients name a type without having a body). */
export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => {
    if (body.length === 0) return undefined;
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    } catch (cause) {
      throw new CallsiftError("request/invalid", "body: expected JSON in UTF-8, got other bytes", { cause });
    }
    return parseJson(text, "body");
  });
}
