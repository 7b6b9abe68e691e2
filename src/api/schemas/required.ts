import type { FastifyInstance } from "fastify";
import { CallsiftError } from "../../pipeline/errors.ts";
import { invalidAt } from "../validate.ts";
import { Problem, strict } from "./common.ts";

const NOTHING = strict({});

/**
 * Nothing leaves or comes in by accident: each route has a schema of its answer; what a route says nothing of (query, body) is refused where it comes; refusals have the
 * problem's shape everywhere.
 */
export function requireSchemas(app: FastifyInstance): void {
  app.addSchema(Problem);
  const problem = { $ref: "Problem#" };
  app.addHook("onRoute", (route) => {
    if (route.schema?.hide) return;
    const answers = (route.schema?.response ?? {}) as Record<string, unknown>;
    if (!Object.keys(answers).some((status) => /^[23]/.test(status)))
      throw new CallsiftError("internal/bug", `expected a schema of the answer of ${route.method} ${route.url}`);
    route.schema = { querystring: NOTHING, ...route.schema, response: { ...answers, "4xx": problem, "5xx": problem } };
    if (route.schema.body !== undefined || route.schema.consumes !== undefined) return;
    const before = [route.preValidation ?? []].flat();
    route.preValidation = [
      ...before,
      async ({ body }: { body?: unknown }) => {
        if (body === undefined || body === null) return;
        const [field] = typeof body === "object" ? Object.keys(body) : [""];
        if (field !== undefined) throw invalidAt(`body/${field}`, "expected no body");
      },
    ];
  });
}
