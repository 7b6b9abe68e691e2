import type { FastifyInstance, FastifyRequest } from "fastify";

/** One line an answer: ids, never what was asked for or said (a query may hold words of a call, or a number). */
export function logAnswers(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => void reply.header("x-request-id", request.id));
  app.addHook("onResponse", async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ...(request.caller && { user: request.caller.user.id }),
        ...(callIdOf(request) && { call: callIdOf(request) }),
      },
      "answered",
    );
  });
}

function callIdOf(request: FastifyRequest): string | undefined {
  return request.call?.id;
}
