import type { Redis } from "ioredis";
import type { Lane } from "../models/calls.ts";
import { PREFIX } from "./queue-connection.ts";

/**
 * BullMQ orders by priority, 1 to 2^21 − 1, least first. Each lane has a part of these numbers to itself, and in it the rounds that the tenants take turns in: a tenant's next call is one
 * round after its last one, but never behind the round that is being worked on (start-time fair queuing: Goyal, Vin, Cheng 1996, with every call of one length).
 */
const LANE_PRIORITIES = {
  upload: { first: 1, rounds: 400_000 },
  folder: { first: 400_001, rounds: 500_000 },
  bulk: { first: 900_001, rounds: 1_197_150 },
} as const satisfies Record<Lane, { first: number; rounds: number }>;

/**
 * The round of a tenant's next call. KEYS: BullMQ's sorted set of a queue, whose scores are priority × 2^32 + a counter; a hash of the last round of each tenant of the lane; the job, which takes no round when it is there already. ARGV: tenant, first
 * priority of the lane, its rounds. An empty lane begins again at round 0; past the last round the lane is first come, first served.
 */
const NEXT_ROUND = `
if redis.call('EXISTS', KEYS[3]) == 1 then return -1 end
local first, rounds = tonumber(ARGV[2]), tonumber(ARGV[3])
local least = string.format('%.0f', first * 4294967296)
local beyond = string.format('(%.0f', (first + rounds) * 4294967296)
local head = redis.call('ZRANGEBYSCORE', KEYS[1], least, beyond, 'WITHSCORES', 'LIMIT', 0, 1)
local round = 0
if #head == 0 then
  redis.call('DEL', KEYS[2])
else
  round = math.floor(tonumber(head[2]) / 4294967296) - first
end
local last = redis.call('HGET', KEYS[2], ARGV[1])
if last then round = math.max(round, tonumber(last) + 1) end
round = math.min(round, rounds - 1)
redis.call('HSET', KEYS[2], ARGV[1], round)
return round
`;

/** The BullMQ priority of a tenant's next call in this queue; null where its job is there already. */
export async function fairPriority(
  redis: Redis,
  queue: string,
  { jobId, lane, tenant }: { readonly jobId: string; readonly lane: Lane; readonly tenant: string },
): Promise<number | null> {
  const { first, rounds } = LANE_PRIORITIES[lane];
  const keys = [`${PREFIX}:${queue}:prioritized`, `${PREFIX}:${queue}:rounds:${lane}`, `${PREFIX}:${queue}:${jobId}`];
  const round = Number(await redis.eval(NEXT_ROUND, keys.length, ...keys, tenant, first, rounds));
  return round < 0 ? null : first + round;
}
