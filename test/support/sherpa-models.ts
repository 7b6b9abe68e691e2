import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scratch } from "./callsift.ts";

/** The tiny recognisers with random weights of scripts/fake-asr-models.py. */
export const TINY_FAMILIES = ["sense-voice", "paraformer", "zipformer-ctc", "fire-red-ctc", "dolphin", "telespeech-ctc"] as const;
export type TinyFamily = (typeof TINY_FAMILIES)[number];

/** A copy of one that may be written to: re-encoded weights lie beside the original. */
export async function tinyModel(family: TinyFamily): Promise<{ readonly path: string } & AsyncDisposable> {
  const folder = await scratch();
  const path = join(folder.path, family);
  cpSync(fileURLToPath(new URL(`../../fixtures/asr-models/${family}`, import.meta.url)), path, {
    recursive: true,
    // What a test that opened the original left beside it is no part of it.
    filter: (file) => !/(signed-.*\.onnx|callsift-way\.json)$/.test(file),
  });
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** Copies that the tests of one file share: the first opening tries the weights, which takes a second, the next ones remember it. */
export function sharedModels(): { path(family: TinyFamily): Promise<string> } & AsyncDisposable {
  const copies = new Map<TinyFamily, ReturnType<typeof tinyModel>>();
  return {
    async path(family) {
      const copy = copies.get(family) ?? tinyModel(family);
      copies.set(family, copy);
      return (await copy).path;
    },
    async [Symbol.asyncDispose]() {
      for (const copy of copies.values()) await (await copy)[Symbol.asyncDispose]();
    },
  };
}
