import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const read = async (path: string) => await readFile(new URL(`../../docs/reference/${path}`, import.meta.url), "utf8");

it("docs/reference/api.md has a row for every route of openapi.json, and for no other", async () => {
  const { paths } = JSON.parse(await read("openapi.json")) as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const rows = [...(await read("api.md")).matchAll(/^\| `([A-Z]+ \S+)` \| [^|]+ \|/gm)].map(([, route]) => route);
  expect(rows.sort()).toEqual(routes.sort());
});
