import type { FastifyRequest } from "fastify";
import Type from "typebox";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { strict } from "../schemas/common.ts";
import { checkValue } from "../validate.ts";
import { plainName, type Received, readMetadata } from "./received.ts";

const Body = strict({
  url: Type.String({ minLength: 1, maxLength: 2_000 }),
  metadata: Type.Optional(Type.Unsafe<unknown>({})),
});

/** Longest time a recording may take to come from its address. */
const FETCH_MS = 10 * 60_000;

/**
 * Fetches a recording from an allowed host.
 *
 * @throws CallsiftError `source/refused`, `source/failed`, `request/invalid`, `request/too-large`, `metadata/invalid`
 */
export async function receiveByAddress({ body }: FastifyRequest, tenant: string, deps: ApiDeps): Promise<Received> {
  checkValue(Body, body ?? {}, "body");
  const { url, metadata } = body as Type.Static<typeof Body>;
  const known = readMetadata(metadata ?? {});
  const { fetchRecording, config, files } = deps;
  if (!fetchRecording || config.allowedHosts.length === 0)
    throw new CallsiftError("source/refused", "expected a recording, got an address: no host is allowed here (CALLSIFT_ALLOWED_HOSTS)");
  const name = plainName(URL.canParse(url) ? decodeName(new URL(url).pathname) : undefined);
  const signal = AbortSignal.timeout(FETCH_MS);
  try {
    const stored = await files.put(tenant, name, await fetchRecording(url, signal), { maxBytes: config.maxUploadBytes, signal });
    return { name, stored, metadata: known, givenTranscript: null };
  } catch (error) {
    if (error instanceof CallsiftError && error.code !== "aborted") throw error;
    if (signal.aborted)
      throw new CallsiftError("source/failed", `the recording did not come within ${FETCH_MS / 60_000} minutes`, { cause: error });
    throw error;
  }
}

function decodeName(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
