import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseNamePattern } from "../../src/workers/sources/name-pattern.ts";

const read = (pattern: string, name: string, timeZone = "Asia/Shanghai") => parseNamePattern(pattern, timeZone).read(name);

describe("name patterns", () => {
  test("read what the name says, with the offset of the zone", () => {
    expect(read("{startedAt:yyyyMMddHHmmss}_{agentId}_{customerNumber}.wav", "in/20260301093005_A12_13800138000.wav")).toEqual({
      metadata: { startedAt: "2026-03-01T09:30:05+08:00", agentId: "A12", customerNumber: "13800138000" },
    });
  });

  test("read folders where the pattern has them, and pass over what nobody needs", () => {
    expect(read("{team}/{startedAt:yyyy-MM-dd}/{_}-{callId}.*", "archive/客服一组/2026-03-01/x y-77.mp3")).toEqual({
      metadata: { team: "客服一组", startedAt: "2026-03-01T00:00:00+08:00", callId: "77" },
    });
  });

  test("read seconds since 1970, channels and marks as in a table", () => {
    expect(read("{startedAt:x}.{agentChannel}.{satisfaction}.{tags}.{hangupParty}.wav", "1772328605.1.5.vip,new.Agent.wav")).toEqual({
      metadata: { startedAt: "2026-03-01T01:30:05.000Z", agentChannel: 1, satisfaction: 5, tags: ["vip", "new"], hangupParty: "agent" },
    });
  });

  test.each([
    ["2026-01-15 12:00:00", "America/New_York", "2026-01-15T12:00:00-05:00"],
    ["2026-07-15 12:00:00", "America/New_York", "2026-07-15T12:00:00-04:00"],
    ["2026-07-15 12:00:00", "Asia/Kolkata", "2026-07-15T12:00:00+05:30"],
    ["2026-07-15 12:00:00", "UTC", "2026-07-15T12:00:00+00:00"],
    // The hour that happens twice: the first of the two is as good as the second.
    ["2026-11-01 00:59:59", "America/New_York", "2026-11-01T00:59:59-04:00"],
    ["2026-03-08 03:00:00", "America/New_York", "2026-03-08T03:00:00-04:00"],
  ])("%s in %s is %s", (name, timeZone, startedAt) => {
    expect(read("{startedAt:yyyy-MM-dd HH:mm:ss}.wav", `${name}.wav`, timeZone)).toEqual({ metadata: { startedAt } });
  });

  test.each([
    ["{startedAt}.wav", "20260231000000.wav", "a time"],
    ["{startedAt}.wav", "20261301000000.wav", "a time"],
    ["{startedAt}.wav", "20260101240000.wav", "a time"],
    ["{startedAt}.wav", "2026010100000.wav", "a name like"],
    ["{agentId}_{callId}.wav", "alone.wav", "a name like"],
    ["{agentChannel}.wav", "2.wav", "channel 0 or 1"],
    ["{team}/{callId}.wav", "77.wav", "a name like"],
  ])("%s does not read %s", (pattern, name, why) => {
    expect(read(pattern, name)).toEqual({ fault: expect.stringContaining(why) });
  });

  test.each([
    ["", "at least one {field}"],
    ["a.wav", "at least one {field}"],
    ["{_}.wav", "at least one {field}"],
    ["{agentid}.wav", "a field of"],
    ["{file}.wav", "a field of"],
    ["{__proto__}.wav", "a field of"],
    ["{agentId}_{agentId}.wav", "each field once"],
    ["{agentId:yyyy}.wav", "a format only for"],
    ["{startedAt:yyyyMM}.wav", "yyyy, MM and dd"],
    ["{startedAt:yyyyyyyy}.wav", "each once"],
    ["{startedAt:DDMMYYYY}.wav", "a time of"],
    ["{agentId.wav", "{field}"],
    ["agentId}.wav", "{field}"],
  ])("%s is no pattern", (pattern, why) => {
    expect(() => parseNamePattern(pattern, "UTC")).toThrow(
      expect.objectContaining({ code: "config/invalid", message: expect.stringContaining(why) }),
    );
  });

  test("whatever stands between the fields is taken as it is", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^{}*/]{1,10}$/u), fc.stringMatching(/^[A-Za-z0-9]{1,12}$/), (between, value) => {
        fc.pre(!between.includes("\n") && !/^[A-Za-z0-9]/.test(between) && !/[A-Za-z0-9]$/.test(between));
        expect(read(`{agentId}${between}{callId}.wav`, `${value}${between}${value}.wav`)).toEqual({
          metadata: { agentId: value, callId: value },
        });
      }),
    );
  });

  test("a long name against many fields takes no time that grows beyond reason", () => {
    const pattern = "{callId}-{agentId}-{team}-{queue}-{product}-{direction}.wav";
    expect(read(pattern, `${"-".repeat(255)}`)).toHaveProperty("fault");
  });
});
