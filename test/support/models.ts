import { createHash } from "node:crypto";
import type { CallSummary, NewCall } from "../../src/models/calls.ts";
import { newCallId } from "../../src/models/ids.ts";
import type { Models } from "../../src/models/models.ts";
import { openModels } from "../../src/models/open.ts";
import type { TestServer } from "./database.ts";

/** Stores over a database of their own, migrated. */
export interface TestModels extends AsyncDisposable {
  readonly models: Models;
  readonly uri: string;
}

/** Opens stores on a fresh database of a server. */
export async function openTestModels(server: TestServer): Promise<TestModels> {
  const database = await server.open();
  const models = await openModels(database.uri);
  await models.migrate();
  return {
    models,
    uri: database.uri,
    [Symbol.asyncDispose]: async () => {
      await models[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

let made = 0;

/** A call like any other; each has bytes of its own. */
export function newCall(change: Partial<NewCall> = {}): NewCall {
  const sha256 = createHash("sha256").update(`recording ${made++} of ${process.pid}`).digest("hex");
  return {
    id: newCallId(),
    tenant: "default",
    sha256,
    name: "call.wav",
    bytes: 1000,
    recording: { key: `default/${sha256}.wav` },
    givenTranscript: null,
    lane: "upload",
    metadata: {},
    ...change,
  };
}

/** What a screening came to, as lists show it. */
export function newSummary(change: Partial<CallSummary> = {}): CallSummary {
  return {
    score: 17,
    max: 20,
    band: "good",
    fatal: false,
    complete: true,
    queue: "review",
    priority: 40,
    reasons: ["dead-air"],
    rules: ["dead-air"],
    severities: ["general"],
    findings: 1,
    durationMs: 60_000,
    layout: "split",
    ...change,
  };
}

/** Accepts a call and gives it a result; its id. */
export async function scoredCall(models: Models, call: Partial<NewCall> = {}, summary: Partial<CallSummary> = {}): Promise<string> {
  const { id } = (await models.calls.accept(newCall(call))).call;
  await models.calls.scored(id, { recipe: "r".repeat(64), policy: "p".repeat(64), summary: newSummary(summary) });
  return id;
}

/** All items of a stream. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
