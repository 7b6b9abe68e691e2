import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signatureOf } from "../../src/workers/webhook-signature.ts";
import { delayMs } from "../../src/workers/webhooks.ts";

describe("webhook messages", () => {
  test("are signed over time, id and body, so that none of them can be changed", () => {
    const message = { id: "0123456789abcdef01234567", body: '{"event":"call.scored"}' };
    const at = new Date("2026-11-26T03:00:00.900Z");
    const seconds = 1795662000;
    const digest = createHmac("sha256", "secret").update(`${seconds}.${message.id}.${message.body}`).digest("hex");
    expect(signatureOf("secret", message, at)).toBe(`t=${seconds},v1=${digest}`);
    const others = [
      signatureOf("secret2", message, at),
      signatureOf("secret", { ...message, id: "1" }, at),
      signatureOf("secret", { ...message, body: "{}" }, at),
      signatureOf("secret", message, new Date(at.getTime() + 1000)),
    ];
    expect(new Set([digest, ...others.map((header) => header.split("v1=")[1])]).size).toBe(5);
  });

  test("are tried again after longer and longer times, up to six hours", () => {
    const delays = Array.from({ length: 12 }, (_, i) => delayMs(i + 1, () => 0.5));
    expect(delays.slice(0, 4)).toEqual([10_000, 30_000, 90_000, 270_000]);
    expect(Math.max(...delays)).toBe(21_600_000);
    expect(delays).toEqual([...delays].sort((a, b) => a - b));
    expect([delayMs(1, () => 0), delayMs(1, () => 1)]).toEqual([9_000, 11_000]);
  });
});
