// What the second listen finds and costs: spoken lines of every text rule, near misses and plain lines, over a telephone line, each a piece of its own.
//   Voices: set up V and K as ../shared/speech/say.py says, then
//     mkdir -p bench/results/second-listen
//     grep -v '^#' bench/asr/second-listen.tsv | awk -F'\t' '{printf "%s\t%s\t%s\tbench/results/second-listen/%03d.wav\n",$2,$3,$5,NR}' > lines.tsv
//     V/bin/python say.py K --batch lines.tsv
//   npx tsx bench/second-listen.ts WEIGHTS [--candidates FILE]     WEIGHTS: a folder of Whisper in CTranslate2's format
import { writeFileSync } from "node:fs";
import { assemble } from "../src/pipeline/asr/assemble.ts";
import type { HeardPiece, Recogniser } from "../src/pipeline/asr/recogniser.ts";
import type { PlacedPiece } from "../src/pipeline/asr/second-listen/placed-piece.ts";
import { candidatesIn, LIMITS, weighAll } from "../src/pipeline/asr/second-listen/search.ts";
import { readyPhrases } from "../src/pipeline/asr/second-listen/wordings.ts";
import { listenAgain } from "../src/pipeline/asr/second-listen.ts";
import { openWhisper } from "../src/pipeline/asr/whisper/open.ts";
import { openPolicies } from "../src/pipeline/policies.ts";
import { listenedPhrases } from "../src/pipeline/rules/listened-phrases.ts";
import { type CompiledRule, leaves } from "../src/pipeline/rules/policy.ts";
import { indexTranscript } from "../src/pipeline/text/index-text.ts";
import type { CompiledPhrase } from "../src/pipeline/text/phrase.ts";
import type { Hearing, Utterance } from "../src/pipeline/types.ts";
import { LISTS, type Line, ordinaryPieces, PAD_MS, readLines } from "./asr/second-listen-lines.ts";
import { type Row, report } from "./report.ts";

function place(line: Line, heard: HeardPiece): PlacedPiece {
  const endMs = line.sound.length / 16;
  const piece = { startMs: 0, endMs, speech: [[PAD_MS, endMs - PAD_MS] as const], continues: false };
  const side = { soundChannel: 0, channel: 0, speaker: null, speech: piece.speech, mute: [] };
  return {
    sound: line.sound,
    startMs: 0,
    heard,
    utterances: assemble({ piece, heard, doubt: null }, side, { minConfidence: 0 }).utterances,
  };
}

/** The phrases of each rule that are listened for. */
function phrasesByRule(rules: readonly CompiledRule[]): Map<string, readonly CompiledPhrase[]> {
  const of = (rule: CompiledRule) => leaves(rule.when).flatMap((leaf) => leaf.listensFor().flatMap(({ phrases }) => [...phrases("zh")]));
  return new Map(rules.map((rule) => [rule.id, of(rule)] as const).filter(([, phrases]) => phrases.length > 0));
}

const asUtterance = (text: string): Utterance => ({
  role: "agent",
  channel: 0,
  startMs: 0,
  endMs: 1000,
  text,
  confidence: 1,
  words: [],
  timing: "estimated",
});

interface Outcome {
  readonly line: Line;
  readonly written: string;
  readonly hearings: readonly Omit<Hearing, "role" | "channel">[];
  readonly hearMs: number;
  readonly againMs: number;
  readonly pure: number;
}

async function run(
  recogniser: Recogniser,
  lines: readonly Line[],
  phrases: ReturnType<typeof listenedPhrases>,
  dump: unknown[] | null,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const counted = countWeighs();
  for (const line of lines) {
    const startedAt = cpuMs();
    const heard = await recogniser.hear(line.sound, { language: "zh", keep: true });
    const heardAt = cpuMs();
    const piece = place(line, { ...heard, weigh: heard.weigh && counted.around(heard.weigh) });
    const hearings = await listenAgain(piece, { recogniser, judge: null, phrases, language: "zh" });
    const againMs = cpuMs() - heardAt;
    if (dump && heard.weigh && heard.text !== "") {
      const wide = { ...LIMITS, mostDistance: 0.62, mostDistanceOfShort: 1.5, sure: 2, mostWeighed: 40, mostOfGroup: 40 };
      const reference = indexTranscript([asUtterance(line.text)]);
      const index = indexTranscript(piece.utterances);
      const asked = readyPhrases(phrases, "zh").filter((ready) => index.find(ready.phrase).length === 0);
      for (const { candidate, margin } of await weighAll(
        heard.text,
        candidatesIn(heard, asked, () => [], wide),
        heard.weigh,
        () => Number.NEGATIVE_INFINITY,
      )) {
        const { phrase, distance, sureness, syllables, wording, written } = candidate;
        const truth = reference.find(phrase.phrase).some(({ by }) => by === "exact");
        dump.push({
          line: line.number,
          about: line.about,
          groups: phrase.groups?.length ?? 0,
          phrase: phrase.phrase.source,
          truth,
          distance,
          sureness,
          syllables,
          wording,
          written,
          margin,
          confirm: phrase.confirm,
        });
      }
    }
    heard.release();
    outcomes.push({ line, written: heard.text, hearings, hearMs: heardAt - startedAt, againMs, pure: counted.take() });
  }
  return outcomes;
}

/** Processor time of all threads so far: the machine may be busy with other things. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Counts the texts that are weighed. */
function countWeighs() {
  let texts = 0;
  return {
    around: (weigh: NonNullable<HeardPiece["weigh"]>) => (asked: readonly string[], least?: readonly number[]) => {
      texts += asked.length;
      return weigh(asked, least);
    },
    take() {
      const taken = texts;
      texts = 0;
      return taken;
    },
  };
}

const [folder, flag, dumpFile] = process.argv.slice(2);
if (!folder) throw new Error("expected the folder of a Whisper's weights");
const { policyFor } = await openPolicies({ ruleFiles: [], form: "deduction-20" });
const { rules } = policyFor("zh");
const phrases = listenedPhrases(rules, "zh");
const byRule = phrasesByRule(rules);
await using recogniser = await openWhisper({ folder, lanes: 1 });
const chosen = readLines(LISTS.chosen);
await recogniser.hear((chosen[0] as Line).sound, { language: "zh" });
const dump: unknown[] | null = flag === "--candidates" ? [] : null;
const outcomes = await run(recogniser, chosen, phrases, dump);
const held = await run(recogniser, readLines(LISTS.held), phrases, dump);
const ordinary = await run(recogniser, ordinaryPieces(), phrases, dump);
if (dump && dumpFile) writeFileSync(dumpFile, dump.map((row) => JSON.stringify(row)).join("\n"));

interface Pair {
  readonly line: number;
  readonly about: string;
  readonly rule: string;
  readonly said: boolean;
  readonly plain: boolean;
  readonly heard: boolean;
  readonly confirmed: boolean | null;
}
function pairsOf(all: readonly Outcome[]): Pair[] {
  const pairs: Pair[] = [];
  for (const { line, written, hearings } of all) {
    const reference = indexTranscript([asUtterance(line.text)]);
    const index = indexTranscript([asUtterance(written)]);
    for (const [rule, own] of byRule) {
      // Politeness is in every line.
      if (rule === "impolite-call" || rule === "agent-hangup") continue;
      const said = own.some((phrase) => reference.find(phrase).some(({ by }) => by === "exact"));
      const plain = own.some((phrase) => index.find(phrase).length > 0);
      const sources = new Set(own.map(({ source }) => source));
      const of = hearings.filter(({ phrase }) => sources.has(phrase));
      const confirms = of.filter(({ check }) => check === "confirm");
      pairs.push({
        line: line.number,
        about: line.about,
        rule,
        said,
        plain,
        heard: of.some((one) => one.check === "search" && one.said),
        confirmed: confirms.length === 0 ? null : confirms.some((one) => one.said),
      });
    }
  }
  return pairs;
}
const pairs = pairsOf(outcomes);
const sets = {
  "odd (chosen on)": pairs.filter(({ line }) => line % 2 === 1),
  even: pairs.filter(({ line }) => line % 2 === 0),
  held: pairsOf(held),
  ordinary: pairsOf(ordinary),
};
const count = (of: readonly Pair[], test: (pair: Pair) => boolean) => of.filter(test).length;
const rows: Row[] = [];
for (const [name, of] of Object.entries(sets)) {
  const spoken = count(of, ({ said }) => said);
  const plain = count(of, ({ said, plain: written }) => said && written);
  const both = count(of, ({ said, plain: written, heard }) => said && (written || heard));
  const row = (what: string, measured: string, bar = "", met: boolean | null = null) =>
    rows.push({ what: `${name}: ${what}`, measured, bar, met });
  row("spoken (line, rule) pairs", `${spoken} of ${of.length}`);
  row("found by plain decoding", `${plain}, ${count(of, ({ said, plain: written }) => !said && written)} invented`);
  row(
    "found with the second listen",
    `${both}, ${count(of, ({ said, plain: written, heard }) => !said && heard && !written)} invented by it`,
  );
  row(
    "true hits confirmed",
    `${count(of, ({ said, confirmed }) => said && confirmed === true)} of ${count(of, ({ said, confirmed }) => said && confirmed !== null)}`,
  );
  row(
    "false hits confirmed",
    `${count(of, ({ said, confirmed }) => !said && confirmed === true)} of ${count(of, ({ said, confirmed }) => !said && confirmed !== null)}`,
  );
}
const sum = (of: readonly Outcome[], value: (outcome: Outcome) => number) => of.reduce((total, outcome) => total + value(outcome), 0);
const share = (of: readonly Outcome[]) => sum(of, ({ againMs }) => againMs) / sum(of, ({ hearMs }) => hearMs);
const withoutHits = (of: readonly Outcome[]) => of.filter(({ hearings }) => !hearings.some(({ check }) => check === "confirm"));
const seconds = (of: readonly Outcome[]) => sum(of, ({ line }) => line.sound.length / 16_000);
const figure = (what: string, measured: string, bar = "", met: boolean | null = null) => rows.push({ what, measured, bar, met });
figure("sound", `${[outcomes, held, ordinary].map((of) => `${Math.round(seconds(of))} s in ${of.length} pieces`).join(", ")}`);
figure("recognition", `${(seconds(ordinary) / (sum(ordinary, ({ hearMs }) => hearMs) / 1000)).toFixed(1)} s of sound a CPU second`);
figure("cost, ordinary pieces of 8 to 12 s", `${(100 * share(ordinary)).toFixed(1)} %`, "5 %", share(ordinary) <= 0.05);
figure("cost, the searches in them", `${(100 * share(withoutHits(ordinary))).toFixed(1)} %`);
figure("texts weighed a piece, ordinary", (sum(ordinary, ({ pure }) => pure) / ordinary.length).toFixed(2));
figure("cost, single lines of which two in three hold a fault", `${(100 * share(outcomes)).toFixed(1)} %`);
report("second-listen", rows, {
  pairs: Object.values(sets)
    .flat()
    .filter(({ said, plain, heard }) => said || plain || heard),
  lines: [...outcomes, ...held, ...ordinary].map(({ line, written, hearings, hearMs, againMs, pure }) => ({
    line: line.number,
    about: line.about,
    text: line.text,
    written,
    hearings,
    hearMs: Math.round(hearMs),
    againMs: Math.round(againMs),
    weighed: pure,
  })),
});
