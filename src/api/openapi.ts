import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import type { ApiDeps } from "./deps.ts";

/** Collects the routes into an OpenAPI 3.1 document: `app.swagger()`. */
export async function describeApi(app: FastifyInstance, { version }: Pick<ApiDeps, "version">): Promise<void> {
  await app.register(swagger, {
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, i) => (typeof $id === "string" ? $id : `schema${i}`) },
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "callsift",
        version,
        description:
          "Every call of a call centre, screened by machine and confirmed by people. Times within a call are integer milliseconds from its start, half-open.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: {
          session: { type: "apiKey", in: "cookie", name: "callsift_session" },
          token: { type: "http", scheme: "bearer" },
        },
      },
      security: [{ session: [] }, { token: [] }],
    },
  });
}
