import { expect, it } from "vitest";
import { packSync } from "../../src/models/packed.ts";
import { policiesOf, readBuiltins } from "../../src/pipeline/policies.ts";
import { score } from "../../src/pipeline/stages.ts";
import { type RescoreOrder, startRescoreThread } from "../../src/workers/rescore-thread.ts";
import { FAULTY_CALL, transcribedOf } from "../support/screened-call.ts";

const packed = packSync(transcribedOf(FAULTY_CALL, { sha256: "a".repeat(64), name: "call.wav", bytes: 1 }));
const orderOf = (callId: string, change: Partial<RescoreOrder> = {}): RescoreOrder => ({
  sources: [],
  calls: [{ callId, packed, policyKey: "builtin", earlier: null }],
  wantsScreenings: false,
  ...change,
});

it("answers several who ask at once, each with their own calls, and goes on after one that cannot be read", async () => {
  await using thread = startRescoreThread();
  const { rules, form } = await readBuiltins();
  const first = thread.judge(orderOf("one", { sources: [["builtin", { rules, form }]] }));
  const broken = thread.judge(
    orderOf("broken", { calls: [{ callId: "broken", packed: Buffer.from("no gzip"), policyKey: "builtin", earlier: null }] }),
  );
  const last = thread.judge(orderOf("three"));
  expect((await first).map(({ callId, summary }) => [callId, summary.rules.includes("missing-greeting")])).toEqual([["one", true]]);
  await expect(broken).rejects.toMatchObject({ name: "CallsiftError" });
  expect((await last).map(({ callId }) => callId)).toEqual(["three"]);
});

it("takes over what unchanged rules found, where the hash is that of the rules as they are read now", async () => {
  await using thread = startRescoreThread();
  const { rules, form } = await readBuiltins();
  const call = transcribedOf(FAULTY_CALL, { sha256: "a".repeat(64), name: "call.wav", bytes: 1 });
  // Found by nobody else: what comes out with it was taken over.
  const { findings, ...rest } = score(call, policiesOf({ rules, form }));
  const marked = { ...rest, findings: findings.map((found) => ({ ...found, severity: "fatal" as const })) };
  const judgedBy = async (policy: string): Promise<readonly string[]> => {
    const earlier = { packed: packSync(marked), policy };
    const sources: RescoreOrder["sources"] = [
      ["builtin", { rules, form }],
      [policy, { rules, form }],
    ];
    const [judged] = await thread.judge(orderOf("one", { sources, calls: [{ callId: "one", packed, policyKey: "builtin", earlier }] }));
    return judged?.summary.severities ?? [];
  };
  expect(await judgedBy(rest.policy)).toEqual(["fatal"]);
  expect(await judgedBy("0".repeat(64))).toEqual([...new Set(findings.map(({ severity }) => severity))]);
});

it("tells everybody who waits, and who comes later, that it has ended", async () => {
  await using thread = startRescoreThread();
  const asked = [thread.judge(orderOf("one", { sources: [null as never] })), thread.judge(orderOf("two"))];
  for (const answer of asked) await expect(answer).rejects.toMatchObject({ code: "internal/bug" });
  await expect(thread.judge(orderOf("three"))).rejects.toMatchObject({ code: "internal/bug" });
});
