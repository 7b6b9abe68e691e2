import { expect, it } from "vitest";
import { packSync } from "../../src/models/packed.ts";
import { readBuiltins } from "../../src/pipeline/policies.ts";
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

it("tells everybody who waits, and who comes later, that it has ended", async () => {
  await using thread = startRescoreThread();
  const asked = [thread.judge(orderOf("one", { sources: [null as never] })), thread.judge(orderOf("two"))];
  for (const answer of asked) await expect(answer).rejects.toMatchObject({ code: "internal/bug" });
  await expect(thread.judge(orderOf("three"))).rejects.toMatchObject({ code: "internal/bug" });
});
