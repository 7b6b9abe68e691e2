import Type from "typebox";
import type { ApiRoutes } from "../server.ts";

/** What the API is, for programs. */
export const docsRoutes: ApiRoutes = (app) => {
  app.get(
    "/api/openapi.json",
    {
      config: { access: "public" },
      schema: {
        summary: "This API as OpenAPI 3.1",
        tags: ["service"],
        response: { 200: Type.Unsafe<object>({ type: "object", additionalProperties: true }) },
      },
    },
    async () => app.swagger(),
  );
};
