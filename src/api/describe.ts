import { pino } from "pino";
import { loadConfig } from "../config.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { createApp } from "./app.ts";
import type { ApiDeps } from "./deps.ts";

/** The OpenAPI document of this version, without a database: no route is called. */
export async function describeRoutes(version: string): Promise<object> {
  const app = await createApp({
    models: absent("models"),
    files: absent("files"),
    schedule: absent("schedule"),
    config: loadConfig({}),
    log: pino({ level: "silent" }),
    rescore: absent<ApiDeps["rescore"]>("rescore"),
    version,
  });
  try {
    return app.swagger();
  } finally {
    await app.close();
  }
}

/** Stands where something is named, and nothing of it called. */
function absent<T extends object>(what: string): T {
  return new Proxy((() => {}) as unknown as T, {
    get: (_target, name) => (typeof name === "symbol" || name === "then" ? undefined : absent(`${what}.${name}`)),
    apply() {
      throw new CallsiftError("internal/bug", `expected routes only to be described, got a call of ${what}`);
    },
  });
}
