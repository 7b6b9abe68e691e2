/** The part of the build that is not compiling: data files beside the sources, and the speech detector's weights. */
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tsImport } from "tsx/esm/api";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

cpSync(at("src"), at("dist"), { recursive: true, filter: (path) => !path.endsWith(".ts") });

const { buildSilero } = await tsImport("./build-silero.ts", import.meta.url);
console.log(`wrote ${buildSilero()}`);
