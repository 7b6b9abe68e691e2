/**
 * Writes the lines that recognisers are tried on before they are used (src/pipeline/asr/sherpa/self-test-clips.gen.ts) from the fixtures' spoken lines
 * (fixtures/README.md: Kokoro 82M, Apache-2.0): npx tsx scripts/fake-asr-clips.ts
 */
import { readFileSync, writeFileSync } from "node:fs";

const LINES = ["zf-xiaobei-1183f107", "zm-yunxi-89ba99fd", "bf-emma-89437146"] as const;

const root = new URL("..", import.meta.url);
const clips = LINES.map((name) => {
  const wav = readFileSync(new URL(`fixtures/lines/${name}.wav`, root));
  const data = wav.indexOf("data", 12, "latin1");
  return wav.subarray(data + 8, data + 8 + wav.readUInt32LE(data + 4)).toString("base64");
});
const head = "/** Three spoken lines, 8 kHz µ-law in base64; written by scripts/fake-asr-clips.ts. */\n";
const body = `export const SELF_TEST_CLIPS: readonly string[] = ${JSON.stringify(clips, null, 2)};\n`;
writeFileSync(new URL("src/pipeline/asr/sherpa/self-test-clips.gen.ts", root), head + body);
