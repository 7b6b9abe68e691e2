import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import ipaddr from "ipaddr.js";
import { isId } from "../../models/ids.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { notFound } from "../problem.ts";
import type { Access } from "./access.ts";
import type { Caller } from "./caller.ts";
import { createIdentify, type Identify } from "./identify.ts";
import { checkOrigin } from "./origin.ts";
import { hashSecret } from "./secret.ts";

declare module "fastify" {
  interface FastifyInstance {
    identify: Identify;
  }
}

/**
 * The one place where rights are enforced: before the body of a request is read, by what its route declares (`config.access`). A route that declares nothing
 * keeps the server from starting.
 */
export function guard(app: FastifyInstance, { models, config }: Pick<ApiDeps, "models" | "config">): void {
  const identify = createIdentify(models);
  app.decorate("identify", identify);
  app.decorateRequest("caller", null);
  app.decorateRequest("call", null);

  const routes: RouteOptions[] = [];
  app.addHook("onRoute", (route) => void routes.push(route));
  app.addHook("onReady", async () => {
    const open = routes.filter((route) => route.config?.access === undefined).map(({ method, url }) => `${method} ${url}`);
    if (open.length > 0) throw new CallsiftError("internal/bug", `expected config.access of every route, got none of ${open.join(", ")}`);
  });

  app.addHook("onRequest", async (request) => {
    // An address that is none has no rights to ask for.
    if (request.is404) return;
    const { access } = request.routeOptions.config;
    if (access === undefined) throw new CallsiftError("internal/bug", "expected config.access of the route");
    if (access === "operations") return checkOperations(request, config.metricsToken);
    const caller = await identify(request);
    // Signing in is a change too, though nobody is signed in yet.
    if (caller?.by !== "token") checkOrigin(request, config.publicUrl);
    request.caller = caller;
    if (access === "public") return;
    if (!caller) throw new CallsiftError("auth/required", "expected a sign-in, got no session or token in force");
    if (!access.roles.includes(caller.role))
      throw new CallsiftError("auth/forbidden", `expected one of ${access.roles.join(", ")}, got ${caller.role}`);
    await findObject(request, access, caller, models);
  });
}

async function findObject(
  request: FastifyRequest,
  access: Exclude<Access, string>,
  { scope }: Caller,
  models: ApiDeps["models"],
): Promise<void> {
  if (access.object === undefined) return;
  const { id } = request.params as { id?: unknown };
  request.call = isId(id) ? await models.calls.get(id, scope) : null;
  if (!request.call) throw notFound("no such call");
}

/** Loopback, private networks and the links of one machine. */
const PRIVATE: ReadonlySet<string> = new Set(["loopback", "private", "uniqueLocal", "linkLocal"]);

function checkOperations({ headers, ip }: FastifyRequest, token: string | null): void {
  const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  // Hashes of one length: how long the comparison takes says nothing of the token.
  if (token !== null && given !== undefined && hashSecret(given) === hashSecret(token)) return;
  if (token === null && ipaddr.isValid(ip) && PRIVATE.has(ipaddr.process(ip).range())) return;
  throw new CallsiftError("auth/forbidden", "expected a private address or the metrics token");
}
