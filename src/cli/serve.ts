import { once } from "node:events";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import { Registry } from "prom-client";
import { createApp } from "../api/app.ts";
import { createSignInLink } from "../api/auth/sign-in.ts";
import { type Config, loadConfig } from "../config.ts";
import { safeFetch } from "../fetch/safe-fetch.ts";
import type { Schedule } from "../models/schedule.ts";
import { createListener } from "../pipeline/audio/listen.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { VERSION } from "../version.ts";
import { createRescore } from "../workers/rescore.ts";
import { openQueueSchedule } from "../workers/schedule-bullmq.ts";
import { startWorker, type WorkerHandle } from "../workers/worker.ts";
import { measureWork } from "../workers/worker-metrics.ts";
import { type Hearing, openHearing } from "./hearing.ts";
import { findRecognition } from "./recognition.ts";
import { openService, type Service } from "./service.ts";
import { untilStopped } from "./stop.ts";
import { EXIT, type Terminal } from "./terminal.ts";

export interface WorkerOptions {
  readonly data?: string;
  readonly engine: string;
  readonly weights?: string;
}

export interface ApiOptions {
  readonly data?: string;
  readonly port?: number;
  readonly host?: string;
}

export interface ServeOptions extends WorkerOptions, ApiOptions {
  readonly signInLink?: true;
}

/** What must be over within 30 s of SIGTERM leaves some for the stores to close. */
const GRACE_MS = 25_000;
const FETCH_MS = 600_000;

/** `callsift serve`: API and workers in one process. */
export async function serveCommand(options: ServeOptions, terminal: Terminal): Promise<number> {
  const config = configOf(options);
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal });
  const registry = new Registry();
  await using hearing = await openEars(config, options);
  await using worker = await startWork(service, { config, hearing, registry });
  await using api = await openApi(service, { config, registry, schedule: worker.schedule });
  if (options.signInLink) terminal.stdout.write(`Sign in, once, within 15 minutes: ${api.address}${await signInLink(service)}\n`);
  terminal.stdout.write(`callsift is ready at ${api.address}\n`);
  await stop.stopped;
  // Side by side: what runs may take all of the time that there is.
  await Promise.all([api[Symbol.asyncDispose](), worker.stop(GRACE_MS)]);
  return EXIT.done;
}

/** `callsift api`: the API alone; workers take the work from Redis. */
export async function apiCommand(options: ApiOptions, terminal: Terminal): Promise<number> {
  const config = configOf(options);
  const redisUrl = neededRedis(config, "api");
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal });
  const onTrouble = (error: Error) => service.log.warn({ code: "queue/unreachable", why: error.message }, "trouble with Redis");
  await using schedule = openQueueSchedule(redisUrl, { onTrouble });
  await using api = await openApi(service, { config, registry: new Registry(), schedule });
  terminal.stdout.write(`callsift is ready at ${api.address}\n`);
  await stop.stopped;
  return EXIT.done;
}

/** `callsift worker`: takes work from Redis. */
export async function workerCommand(options: WorkerOptions, terminal: Terminal): Promise<number> {
  const config = configOf(options);
  neededRedis(config, "worker");
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal });
  const registry = new Registry();
  await using hearing = await openEars(config, options);
  await using worker = await startWork(service, { config, hearing, registry });
  await using _metrics = config.metricsPort === null ? null : await showMetrics(registry, config.metricsPort, config.host);
  terminal.stdout.write("callsift worker is ready\n");
  await stop.stopped;
  await worker.stop(GRACE_MS);
  return EXIT.done;
}

function configOf({ data, port, host }: ApiOptions): Config {
  const config = loadConfig();
  return { ...config, dataDir: data ?? config.dataDir, port: port ?? config.port, host: host ?? config.host };
}

function neededRedis({ redisUrl, mongodbUri }: Config, command: string): string {
  const missing = [...(mongodbUri === null ? ["MONGODB_URI"] : []), ...(redisUrl === null ? ["REDIS_URL"] : [])];
  if (redisUrl === null || missing.length > 0)
    throw new CallsiftError(
      "usage/invalid",
      `${command}: expected ${missing.join(" and ")} to be set, since its other half runs elsewhere; for one machine there is callsift serve`,
    );
  return redisUrl;
}

/** The engines, their listener with them. */
async function openEars(config: Config, { engine, weights }: WorkerOptions): Promise<Hearing> {
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

function startWork({ models, files, log }: Service, { config, hearing, registry }: Work): Promise<WorkerHandle> {
  return startWorker({ models, files, hearing, config, redisUrl: config.redisUrl, log, onEvent: measureWork(registry) });
}

interface ApiParts {
  readonly config: Config;
  readonly registry: Registry;
  readonly schedule: Schedule;
}

async function openApi(service: Service, parts: ApiParts): Promise<AsyncDisposable & { readonly address: string }> {
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

async function signInLink({ models }: Service): Promise<string> {
  const admin = await models.users.byName("admin");
  if (!admin) throw new CallsiftError("usage/invalid", "expected a user admin for --sign-in-link, found none");
  return createSignInLink(models, admin.user.id);
}

/** /metrics and /healthz of a process without an API, for Prometheus on the same network. */
async function showMetrics(registry: Registry, port: number, host: string): Promise<AsyncDisposable> {
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
