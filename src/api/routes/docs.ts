import swaggerUi from "@fastify/swagger-ui";
import type { FastifyPluginAsync } from "fastify";
import Type from "typebox";
import type { ApiRoutes } from "../server.ts";

/** What the API is: for programs, and as a page where it can be tried by hand. */
export const docsRoutes: ApiRoutes = async (app) => {
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
  const page: FastifyPluginAsync = async (scope) => {
    scope.addHook("onRoute", (route) => {
      route.config = { ...route.config, access: "public" };
    });
    await scope.register(swaggerUi, {
      routePrefix: "/api/docs",
      theme: { title: "callsift: the API" },
      uiConfig: { deepLinking: true, docExpansion: "list", displayRequestDuration: true, tryItOutEnabled: true },
    });
  };
  await app.register(page);
};
