import type { Language } from "../pipeline/types.ts";
import type { InstalledWeights } from "./store.ts";

/**
 * The installed weights that `--engine auto` takes for a language, the best first; damaged ones are left out.
 *
 * The order is by what was measured or published, not by size alone. For Chinese (and where the language is not known, since the rules then are the
 * Chinese ones) SenseVoice and Paraformer: made for Mandarin, fewest characters wrong, and five times as fast as Whisper on the same core. Then other
 * models of theirs that know the language. Whisper last, the largest first: among Whispers more parameters are fewer errors, whoever installed a large
 * one beside a small one did so for that, and nothing is lost by taking it but time.
 */
export function preferredWeights(installed: readonly InstalledWeights[], language: Language | "auto"): InstalledWeights[] {
  const wanted = language === "auto" ? "zh" : language;
  const rank = ({ manifest }: InstalledWeights): number => {
    if (manifest?.engine === "whisper") return 3;
    const position = wanted === "zh" ? ["sense-voice", "paraformer"].indexOf(manifest?.family ?? "") : -1;
    return position < 0 ? 2 : position;
  };
  return installed
    .filter(({ state, manifest }) => state === "ready" && manifest !== null && speaks(manifest.languages, wanted))
    .sort((a, b) => rank(a) - rank(b) || b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** Whether weights know a language; of some it is not known which they do. */
function speaks(languages: readonly string[], wanted: Language): boolean {
  return languages.length === 0 || languages.includes("*") || languages.includes(wanted);
}
