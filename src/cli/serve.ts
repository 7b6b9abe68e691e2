import { type Config, loadConfig } from "../config.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { openService } from "./service.ts";
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

/** All that a service is made of takes half a second to load: that goes on while its database starts. */
const load = () => import("./serve-parts.ts");

/** `callsift serve`: API and workers in one process. */
export async function serveCommand(options: ServeOptions, terminal: Terminal): Promise<number> {
  const config = configOf(options);
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal, load });
  const { Registry, openEars, startWork, openApi, signInLink } = await load();
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
  await using service = await openService({ config, terminal, signal: stop.signal, load });
  const { Registry, openApi, openQueueSchedule } = await load();
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
  await using service = await openService({ config, terminal, signal: stop.signal, load });
  const { Registry, openEars, startWork, showMetrics } = await load();
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
