import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { CallsiftError } from "../pipeline/errors.ts";

/** What a part of a request is called in messages. */
const PART: Readonly<Record<string, string>> = { querystring: "query" };

/**
 * Holds a part of a request against its schema. Texts of the query become numbers and booleans where the schema wants those; a body is taken as it is.
 * Refusals name the path: `body/findings/0/decision`.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = "request" }) => {
  const validator = Compile(schema);
  const part = PART[httpPart] ?? httpPart;
  const readText = httpPart === "querystring" || httpPart === "params";
  return (data: unknown) => {
    const value = readText ? fromText(data, schema) : data;
    return validator.Check(value) ? { value } : { error: refusal(validator.Errors(value), part) };
  };
};

interface Fault {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** `value` refused by `schema`, for what is validated outside of Fastify's own parts. */
export function checkValue(schema: TSchema, value: unknown, part: string): void {
  const validator = Compile(schema);
  if (!validator.Check(value)) throw refusal(validator.Errors(value), part);
}

function refusal(faults: readonly Fault[], part: string): CallsiftError {
  // Of the branches of a union each complains; an unknown or missing field says most.
  const fault =
    faults.find(({ keyword }) => keyword === "additionalProperties") ??
    faults.find(({ keyword }) => keyword === "required") ??
    faults.find(({ keyword }) => keyword !== "anyOf" && keyword !== "boolean");
  if (!fault) return invalidAt(part, "not as the reference says");
  const { keyword, instancePath, message } = fault;
  const params = fault.params as { additionalProperties?: string[]; requiredProperties?: string[]; allowedValues?: unknown[] };
  const path = `${part}${instancePath}`;
  if (keyword === "additionalProperties") return invalidAt(`${path}/${params.additionalProperties?.[0]}`, "expected no such field");
  if (keyword === "required") return invalidAt(`${path}/${params.requiredProperties?.[0]}`, "expected a value, got none");
  return invalidAt(path, keyword === "enum" ? `expected one of ${params.allowedValues?.join(", ")}` : message);
}

/** `request/invalid` at a path like `body/metadata` or `query/limit`. */
export function invalidAt(path: string, why: string): CallsiftError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new CallsiftError("request/invalid", `${shown}: ${why}`, { details: { path: shown } });
}

/** Only plain decimal numbers, `true` and `false`; anything else stays text and is refused by its type. */
function fromText(data: unknown, schema: TSchema): unknown {
  const { properties } = schema as { properties?: Record<string, { type?: unknown }> };
  if (!properties || typeof data !== "object" || data === null) return data;
  const read: [string, unknown][] = Object.entries(data).map(([name, text]) => {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
    if (typeof text !== "string") return [name, text];
    if ((type === "integer" || type === "number") && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return [name, Number(text)];
    if (type === "boolean" && (text === "true" || text === "1")) return [name, true];
    if (type === "boolean" && (text === "false" || text === "0")) return [name, false];
    return [name, text];
  });
  return Object.fromEntries(read);
}
