import { expect, it, vi } from "vitest";
import { CallsSeen } from "../../src/models/calls-seen.ts";

/** Stands for the collection: answers with the calls of a query, and says which it was asked for. */
function modelOf(calls: Map<string, string>) {
  const asked: string[][] = [];
  const model = {
    find: ({ $and: [{ _id }] }: { $and: [{ _id: { $in: string[] } }] }) => {
      asked.push(_id.$in);
      const found = _id.$in.flatMap((id) => (calls.has(id) ? [{ _id: id, rev: calls.get(id) }] : []));
      return { lean: async () => found };
    },
  };
  return { model: model as never, asked };
}

const at = (...places: string[]) => places.map((place) => ({ _id: place[0] as string, rev: place.slice(1) }));

it("reads again what has changed, and only that, in the order of the list", async () => {
  const calls = new Map([..."abc"].map((id) => [id, "1"]));
  const { model, asked } = modelOf(calls);
  const seen = new CallsSeen();
  const ids = async (...places: string[]) => (await seen.read(model, at(...places), [])).map(({ _id, rev }) => _id + rev);
  expect(await ids("a1", "b1")).toEqual(["a1", "b1"]);
  calls.set("a", "2");
  expect(await ids("c1", "b1", "a2")).toEqual(["c1", "b1", "a2"]);
  expect(await ids("b1", "c1")).toEqual(["b1", "c1"]);
  calls.delete("c");
  expect(await ids("b1", "c2")).toEqual(["b1"]);
  expect(asked).toEqual([["a", "b"], ["c", "a"], ["c"]]);
});

it("lets go of calls after a minute, and of the oldest of too many", async () => {
  vi.useFakeTimers();
  try {
    const many = Array.from({ length: 5001 }, (_, i) => String(i));
    const { model, asked } = modelOf(new Map(many.map((id) => [id, "1"])));
    const seen = new CallsSeen();
    const read = async (...ids: string[]) =>
      await seen.read(
        model,
        ids.map((_id) => ({ _id, rev: "1" })),
        [],
      );
    await read(...many);
    await read("0", "5000");
    expect(asked[1]).toEqual(["0"]);
    vi.advanceTimersByTime(60_000);
    await read("5000");
    expect(asked[2]).toEqual(["5000"]);
  } finally {
    vi.useRealTimers();
  }
});
