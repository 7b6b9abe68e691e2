import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isDuplicate, op, SAFE } from "../model-of.ts";
import type { BlockEntry, BlockSetDocument, SearchModels } from "./documents.ts";

const LEASE_MS = 60_000;
const EPOCH = new Date(0);

/** The right to change the blocks of a tenant; nobody else has it meanwhile. */
export interface BlockLease {
  readonly set: Pick<BlockSetDocument, "blocks" | "trash">;
  /** Puts these blocks in force; those that are no more among them go to the trash. False where the lease has been lost: nothing has changed. */
  commit(blocks: readonly BlockEntry[], trash?: BlockSetDocument["trash"]): Promise<boolean>;
  /** False where it has been lost. */
  renew(): Promise<boolean>;
}

/**
 * Runs with the lease of a tenant's blocks. Whoever holds it and dies leaves work half done, which is in force nowhere and is done again.
 *
 * @param waitMs how long to wait for somebody else's lease
 * @returns null where somebody else has it
 */
export async function withBlockLease<T>(
  { sets }: SearchModels,
  tenant: string,
  waitMs: number,
  run: (lease: BlockLease) => Promise<T>,
): Promise<T | null> {
  const by = randomUUID();
  const deadline = Date.now() + waitMs;
  let held = await take(sets, tenant, by);
  while (!held && Date.now() < deadline) {
    await sleep(50 + Math.random() * 100);
    held = await take(sets, tenant, by);
  }
  if (!held) return null;
  let current: Pick<BlockSetDocument, "blocks" | "trash"> = held;
  const mine = { _id: tenant, leaseBy: by };
  const extended = () => ({ leaseUntil: new Date(Date.now() + LEASE_MS) });
  try {
    return await run({
      get set() {
        return current;
      },
      async commit(blocks, trash = current.trash) {
        const now = new Date();
        const gone = current.blocks.filter(({ id }) => !blocks.some((block) => block.id === id)).map(({ id }) => ({ id, at: now }));
        const next = { blocks, trash: [...trash, ...gone] };
        const { matchedCount } = await sets.updateOne(mine, { $set: { ...next, ...extended() } }, SAFE);
        if (matchedCount === 1) current = next;
        return matchedCount === 1;
      },
      async renew() {
        return (await sets.updateOne(mine, { $set: extended() }, SAFE)).matchedCount === 1;
      },
    });
  } finally {
    await sets.updateOne(mine, { $set: { leaseBy: null, leaseUntil: EPOCH } }, SAFE);
  }
}

async function take(sets: SearchModels["sets"], tenant: string, by: string): Promise<BlockSetDocument | null> {
  const now = new Date();
  const lease = { leaseBy: by, leaseUntil: new Date(now.getTime() + LEASE_MS) };
  const taken = await sets
    .findOneAndUpdate({ _id: tenant, leaseUntil: op({ $lte: now }) }, { $set: lease }, { ...SAFE, returnDocument: "after" })
    .lean();
  if (taken) return taken;
  try {
    const first = { _id: tenant, v: 1, blocks: [], trash: [], ...lease };
    const { upsertedCount } = await sets.updateOne({ _id: tenant }, { $setOnInsert: first }, { ...SAFE, upsert: true });
    return upsertedCount === 1 ? first : null;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return null;
  }
}
