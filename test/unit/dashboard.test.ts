import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

it("docs/grafana.json asks for figures that are there", () => {
  const sources = ["src/api", "src/workers"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true })
      .filter((path) => String(path).endsWith(".ts"))
      .map((path) => readFileSync(`${root}${folder}/${path}`, "utf8")),
  );
  const known = new Set(sources.flatMap((text) => [...text.matchAll(/name: "(callsift_[a-z_]+)"/g)].map(([, name]) => name)));
  const asked = [...readFileSync(`${root}docs/grafana.json`, "utf8").matchAll(/callsift_[a-z_]+/g)].map(([name]) =>
    name.replace(/_bucket$/, ""),
  );
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});
