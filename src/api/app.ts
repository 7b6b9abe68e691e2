import { randomUUID } from "node:crypto";
import cookie from "@fastify/cookie";
import helmet from "@fastify/helmet";
import multipart from "@fastify/multipart";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import fastify, { type FastifyInstance, type FastifyPluginAsync, LogController } from "fastify";
import { logAnswers } from "./access-log.ts";
import { guard } from "./auth/guard.ts";
import { type ApiDeps, TIMEOUTS } from "./deps.ts";
import { parseJsonBodies } from "./json-body.ts";
import { measureAnswers } from "./metrics.ts";
import { describeApi } from "./openapi.ts";
import { answerProblem, notFound } from "./problem.ts";
import { ROUTES } from "./routes/index.ts";
import { requireSchemas } from "./schemas/required.ts";
import type { ApiServer } from "./server.ts";
import { compileValidator } from "./validate.ts";

/** A page of JSON; what may be larger says so at its route. */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * The HTTP API (contracts.md §6), ready to listen.
 *
 * @throws CallsiftError `internal/bug` where a route has no access or no schema of its answer
 */
export async function createApp(deps: ApiDeps): Promise<FastifyInstance> {
  const { config, log } = deps;
  const { headersMs, requestMs, idleMs, checkMs } = deps.timeouts ?? TIMEOUTS;
  const app: ApiServer = fastify({
    loggerInstance: log,
    // One line an answer, ours: Fastify's own would hold the address with what was searched for.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: config.trustProxy,
    bodyLimit: MAX_BODY_BYTES,
    connectionTimeout: idleMs,
    requestTimeout: requestMs,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs, maxHeaderSize: 16 * 1024 },
    // An open event stream does not keep a process from stopping.
    forceCloseConnections: true,
    return503OnClosing: true,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    exposeHeadRoutes: true,
    frameworkErrors: answerProblem,
  });
  app.setValidatorCompiler(compileValidator);
  app.setErrorHandler(answerProblem);
  app.setNotFoundHandler(() => {
    throw notFound();
  });
  parseJsonBodies(app);
  await app.register(cookie);
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
      },
    },
    frameguard: { action: "deny" },
    referrerPolicy: { policy: "no-referrer" },
    // Only where people come by TLS: on a machine of its own it would lock them out of http.
    strictTransportSecurity: config.publicUrl?.startsWith("https:") ? { maxAge: 31_536_000 } : false,
  });
  await app.register(multipart, { throwFileSizeLimit: false });
  logAnswers(app);
  measureAnswers(app, deps);
  guard(app, deps);
  requireSchemas(app);
  await describeApi(app, deps);
  for (const routes of ROUTES) {
    const plugin: FastifyPluginAsync = async (scope) => await routes(scope.withTypeProvider<TypeBoxTypeProvider>(), deps);
    await app.register(plugin);
  }
  await app.ready();
  return app;
}
