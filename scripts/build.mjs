/** The build: types and a check of them by tsc, JavaScript by esbuild file by file, data files, and the speech detector's weights. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { tsImport } from "tsx/esm/api";
import { parse } from "yaml";

const root = fileURLToPath(new URL("..", import.meta.url));

// Beside the old one, which goes on working until this one is whole: a fault in the sources leaves a build that runs.
const fresh = `${root}dist.new`;
rmSync(fresh, { recursive: true, force: true });
const tsc = [`${root}node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json", "--outDir", fresh];
execFileSync(process.execPath, tsc, { cwd: root, stdio: "inherit" });

await build({
  absWorkingDir: root,
  entryPoints: readdirSync(`${root}src`, { recursive: true })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `src/${path}`),
  outbase: "src",
  outdir: fresh,
  chunkNames: "vendor/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node20.19",
  bundle: true,
  splitting: true,
  sourcemap: true,
  plugins: [{ name: "callsift", setup: resolveImports }],
});

for (const path of readdirSync(`${root}src`, { recursive: true })) {
  if (!/\.(?:yaml|onnx|txt)$/.test(path)) continue;
  mkdirSync(dirname(`${fresh}/${path}`), { recursive: true });
  if (!path.endsWith(".yaml")) copyFileSync(`${root}src/${path}`, `${fresh}/${path}`);
  // JSON is YAML too, and reads ten times as fast.
  else writeFileSync(`${fresh}/${path}`, JSON.stringify(parse(readFileSync(`${root}src/${path}`, "utf8"))));
}
rmSync(`${root}dist`, { recursive: true, force: true });
renameSync(fresh, `${root}dist`);
const { buildSilero } = await tsImport("./build-silero.ts", import.meta.url);
console.log(`wrote ${buildSilero()}`);

/**
 * Our own files stay one by one, so that each finds what lies beside it. Of the packages only TypeBox is taken in: its 700 small modules take
 * 380 ms of CPU to load one by one, 13 ms as one file, and a command has 700 ms to its first result.
 */
function resolveImports({ onResolve }) {
  onResolve({ filter: /^\./ }, ({ path, importer }) =>
    importer.startsWith(`${root}src/`) ? { path: path.replace(/\.ts$/, ".js"), external: true } : undefined,
  );
  onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
    kind === "entry-point" || path.split("/")[0] === "typebox" ? undefined : { path, external: true },
  );
}
