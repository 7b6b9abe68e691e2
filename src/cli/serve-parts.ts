import { once } from "node:events";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import type { Registry } from "prom-client";
import { createApp } from "../api/app.ts";
import { createSignInLink } from "../api/auth/sign-in.ts";
import type { Config } from "../config.ts";
import { safeFetch } from "../fetch/safe-fetch.ts";
import type { Schedule } from "../models/schedule.ts";
import { createListener } from "../pipeline/audio/listen.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { VERSION } from "../version.ts";
import { createRescore } from "../workers/rescore.ts";
import { startWorker, type WorkerHandle } from "../workers/worker.ts";
import { measureWork } from "../workers/worker-metrics.ts";
import { type Hearing, openHearing } from "./hearing.ts";
import { findRecognition, type RecognitionOptions } from "./recognition.ts";
import type { Service } from "./service.ts";

export { Registry } from "prom-client";
export { openQueueSchedule } from "../workers/schedule-bullmq.ts";

const FETCH_MS = 600_000;

/** The engines, their listener with them. */
export async function openEars(config: Config, { engine, weights }: Omit<RecognitionOptions, "language">): Promise<Hearing> {
  const listener = createListener({ workers: Math.min(config.concurrency, availableParallelism()), vad: config.vad });
  try {
    const recognition = await findRecognition(config, { engine, language: config.language, ...(weights !== undefined && { weights }) });
    const hearing = await openHearing({ config, engine, listener, recognition });
    return {
      ...hearing,
      async [Symbol.asyncDispose]() {
        await hearing[Symbol.asyncDispose]();
        await listener[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await listener[Symbol.asyncDispose]();
    throw error;
  }
}

interface Work {
  readonly config: Config;
  readonly hearing: Hearing;
  readonly registry: Registry;
}

/** Workers of this process. */
export function startWork({ models, files, log }: Service, { config, hearing, registry }: Work): Promise<WorkerHandle> {
  return startWorker({ models, files, hearing, config, redisUrl: config.redisUrl, log, onEvent: measureWork(registry) });
}

interface ApiParts {
  readonly config: Config;
  readonly registry: Registry;
  readonly schedule: Schedule;
}

/** The API, listening. */
export async function openApi(service: Service, parts: ApiParts): Promise<AsyncDisposable & { readonly address: string }> {
  const { config } = parts;
  const { models, files, log } = service;
  const app = await createApp({
    ...parts,
    models,
    files,
    log,
    rescore: createRescore({ models }),
    fetchRecording: async (url, signal) => {
      const { allowedHosts, privateAddresses, maxUploadBytes: maxBytes } = config;
      return (await safeFetch(url, { allowedHosts, privateAddresses, maxBytes, timeoutMs: FETCH_MS, signal })).body;
    },
    version: VERSION,
  });
  try {
    const address = await app.listen({ host: config.host, port: config.port }).catch((cause: NodeJS.ErrnoException) => {
      throw new CallsiftError("usage/invalid", `expected ${config.host}:${config.port} to be free to listen on, got ${cause.code}`, {
        cause,
      });
    });
    return { address, [Symbol.asyncDispose]: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** The path that signs the first administrator in. */
export async function signInLink({ models }: Service): Promise<string> {
  const admin = await models.users.byName("admin");
  if (!admin) throw new CallsiftError("usage/invalid", "expected a user admin for --sign-in-link, found none");
  return createSignInLink(models, admin.user.id);
}

/** /metrics and /healthz of a process without an API, for Prometheus on the same network. */
export async function showMetrics(registry: Registry, port: number, host: string): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    void answer(request.url ?? "").then(({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body));
  });
  async function answer(url: string): Promise<{ status: number; type: string; body: string }> {
    if (url === "/metrics") return { status: 200, type: registry.contentType, body: await registry.metrics() };
    if (url === "/healthz") return { status: 200, type: "application/json", body: '{"status":"ok"}' };
    return { status: 404, type: "application/json", body: '{"code":"request/not-found","message":"expected /metrics or /healthz"}' };
  }
  server.listen(port, host);
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
