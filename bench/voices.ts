// Two voices on one channel: how much is given to the right one, how many calls are told apart at all, and that a call of one voice never is.
//   npm run build && npx tsx bench/voices.ts [folder of more spoken lines, VOICE-NN.wav]
// Measured through the detector as a user's calls are: nothing here knows where the speech is. Truth: fixtures/lines, and for the real call the energy of its own two channels.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "../fixtures/encode.ts";
import { generateCalls } from "../fixtures/generate.ts";
import type { OpenedRecording } from "../src/pipeline/audio/open.ts";
import { clip, overlap, totalMs } from "../src/pipeline/timeline.ts";
import type { Span, Transcript, Utterance } from "../src/pipeline/types.ts";
import type { TwoVoices, VoiceSplit } from "../src/pipeline/voices/port.ts";
import { seededRandom } from "../test/support/audio-files.ts";
import { median, type Row, report } from "./report.ts";
import { type Clip, clipsOfFolder, fixtureClips, type Line, type MonoCall, makeCall, rightMs } from "./voice-calls.ts";

// What is measured is what is run: the compiled files, not these sources through a loader.
const built = async <Module>(path: string): Promise<Module> =>
  (await import(new URL(`../dist/pipeline/${path}`, import.meta.url).href)) as Module;
const { openRecording } = await built<typeof import("../src/pipeline/audio/open.ts")>("audio/open.js");
const { createListener } = await built<typeof import("../src/pipeline/audio/listen.ts")>("audio/listen.js");
const { openVoices } = await built<typeof import("../src/pipeline/voices/open.ts")>("voices/open.js");
const { openWindows } = await built<typeof import("../src/pipeline/audio/windows.ts")>("audio/windows.js");
const { assignRoles } = await built<typeof import("../src/pipeline/roles.ts")>("roles.js");

const root = fileURLToPath(new URL("..", import.meta.url));
const REAL_CALLS = join(root, "../shared/data/calls");
const LINES = {
  clean: { codec: "mulaw", snrDb: null },
  "noise 20 dB": { codec: "mulaw", snrDb: 20 },
  "noise 10 dB": { codec: "mulaw", snrDb: 10 },
  "8 dB uneven": { codec: "alaw", snrDb: 25, unevenDb: -8 },
  AMR: { codec: "amr", snrDb: null },
  MP3: { codec: "mp3", snrDb: 20 },
} as const satisfies Record<string, Line>;
/** With less to say, a voice repeats itself too often to stand for a person. */
const LEAST_MS = 14_000;

interface Result {
  readonly kind: string;
  readonly name: string;
  readonly line: string;
  readonly split: VoiceSplit;
  /** Share of the single-speaker time that was given to the right voice; null where it was not told apart. */
  readonly right: number | null;
  readonly durationMs: number;
  readonly splitMs: number;
}

const scratch = mkdtempSync(join(tmpdir(), "callsift-voices-"));
const results: Result[] = [];
try {
  await main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function main(): Promise<void> {
  await using listener = createListener({ workers: 1 });
  await using voices = await openVoices();

  async function listen(
    name: string,
    file: Buffer,
  ): Promise<{ opened: OpenedRecording; split: VoiceSplit; splitMs: number; layout: string }> {
    const path = join(scratch, name.replaceAll(/[^\w.-]/g, "-"));
    writeFileSync(path, file);
    const opened = await openRecording({ name, path }, {});
    const { sound } = await listener.listen(opened.pcm);
    const from = performance.now();
    const split = await voices.split(opened.pcm, sound, { channel: 0 });
    return { opened, split, splitMs: performance.now() - from, layout: sound.layout };
  }

  async function measure(kind: string, line: string, call: MonoCall): Promise<VoiceSplit> {
    const { opened, split, splitMs } = await listen(`${call.name}.${call.extension}`, call.file);
    await opened[Symbol.asyncDispose]();
    const told =
      split.kind === "two-voices"
        ? rightMs(
            call.speech,
            split.voices.map(({ speech }) => speech),
          )
        : null;
    results.push({ kind, name: call.name, line, split, right: told && told.right / told.judged, durationMs: call.durationMs, splitMs });
    return split;
  }

  const more = process.argv[2];
  const clips = new Map([...fixtureClips(), ...(more ? clipsOfFolder(more) : [])]);
  const people = [...clips.keys()].filter(
    (voice) => (clips.get(voice) ?? []).reduce((sum, { samples }) => sum + samples.length / 8, 0) >= LEAST_MS,
  );
  const of = (voice: string): readonly Clip[] => clips.get(voice) ?? [];
  const lines = Object.entries(LINES);
  const line = (i: number): [string, Line] => lines[i % lines.length] as [string, Line];
  // The detector's and the encoder's first call loads them.
  await listen(
    "warm-up.wav",
    (await makeCall({ name: "warm-up", voices: [of(people[0] ?? "")], seconds: 5, line: LINES.clean, seed: 1 })).file,
  );

  const pairs = shuffled(
    people.flatMap((one, i) => people.slice(i + 1).map((two) => [one, two] as const)),
    11,
  ).slice(0, 90);
  for (const [i, [one, two]] of pairs.entries()) {
    const [named, sounds] = line(i);
    const plan = { voices: [of(one), of(two)], line: sounds };
    await measure("two", named, await makeCall({ ...plan, name: `two ${one} ${two}`, seconds: 75, seed: 100 + i }));
    if (i < 24) await measure("two, 20 s", named, await makeCall({ ...plan, name: `short ${one} ${two}`, seconds: 18, seed: 300 + i }));
    if (i < 24)
      await measure(
        "two, one mostly listens",
        named,
        await makeCall({ ...plan, name: `listens ${one} ${two}`, seconds: 75, seed: 500 + i, listens: 0.7 }),
      );
  }
  for (const [i, voice] of people.entries()) {
    for (const [n, [named, sounds]] of lines.entries()) {
      if (more && n !== i % lines.length) continue;
      await measure(
        "one",
        named,
        await makeCall({ name: `one ${voice} ${named}`, voices: [of(voice)], seconds: 75, line: sounds, seed: 700 + i }),
      );
    }
    const changing: Line = { codec: "mulaw", snrDb: null, changing: true };
    await measure(
      "one, another line every turn",
      "changing",
      await makeCall({ name: `changing ${voice}`, voices: [of(voice)], seconds: 75, line: changing, seed: 900 + i }),
    );
  }
  for (let i = 0; i < 30; i++) {
    const [named, sounds] = line(i);
    const three = shuffled(people, 1100 + i).slice(0, 3);
    await measure(
      "three",
      named,
      await makeCall({ name: `three ${three.join(" ")}`, voices: three.map(of), seconds: 75, line: sounds, seed: 1300 + i }),
    );
  }
  await realCall(measure);
  const roles = await measureRoles(listen);
  tell(roles);
}

/** The real English call: its two channels added up, whole and minute by minute; and each of its people alone. */
async function realCall(measure: (kind: string, line: string, call: MonoCall) => Promise<VoiceSplit>): Promise<void> {
  const path = join(REAL_CALLS, "en_call_40_stereo_8k.wav");
  if (!existsSync(path)) return console.warn("skipped: the real call, which is not here");
  await using opened = await openRecording({ name: "real", path }, {});
  await using listener = createListener({ workers: 1 });
  const { sound } = await listener.listen(opened.pcm);
  using windows = openWindows(opened.pcm, 8000);
  const { durationMs } = opened.recording;
  const sides = [0, 1].map((channel) => Float64Array.from(windows.window(channel, 0, durationMs)));
  const both = (sides[0] as Float64Array).map((sample, i) => sample + (sides[1]?.[i] ?? 0));
  const speech = sound.channels.map((side) => side.speech);
  const part = async (kind: string, samples: Float64Array, [startMs, endMs]: Span, who: readonly number[]) => {
    const truth = who.map(
      (channel) =>
        [`side ${channel}`, clip(speech[channel] ?? [], [startMs, endMs]).map(([a, b]): Span => [a - startMs, b - startMs])] as const,
    );
    const name = `real ${who.join("+")} ${startMs / 1000} s`;
    await measure(kind, "real", {
      name,
      file: await encode([samples.subarray(startMs * 8, endMs * 8)], "mulaw"),
      extension: "wav",
      durationMs: endMs - startMs,
      speech: new Map(truth),
    });
  };
  await part("real, two", both, [0, durationMs], [0, 1]);
  for (const channel of [0, 1]) await part("real, one", sides[channel] as Float64Array, [0, durationMs], [channel]);
  for (let startMs = 0; startMs + 60_000 <= durationMs; startMs += 30_000) {
    const minute: Span = [startMs, startMs + 60_000];
    await part("real, two, 60 s", both, minute, [0, 1]);
    for (const channel of [0, 1]) await part("real, one, 60 s", sides[channel] as Float64Array, minute, [channel]);
  }
}

interface RoleResult {
  readonly name: string;
  readonly told: boolean;
  /** The voice that assignRoles says is the agent really is the agent; null where it says none. */
  readonly right: boolean | null;
  readonly source: string;
  readonly confidence: number;
  /** As `right`, by who speaks first alone. */
  readonly rightByFirst: boolean | null;
}

/**
 * The fixture calls of two sides added up to one channel, their transcripts given to the voices by time, as a recogniser that hears each voice alone would.
 * Then once more without any words, so that only who speaks first tells.
 */
async function measureRoles(
  listen: (name: string, file: Buffer) => Promise<{ opened: OpenedRecording; split: VoiceSplit }>,
): Promise<RoleResult[]> {
  const folder = join(scratch, "calls");
  const found: RoleResult[] = [];
  await using listener = createListener({ workers: 1 });
  for (const { name, truth } of await generateCalls(folder)) {
    if (
      totalMs(truth.speech.agent) === 0 ||
      totalMs(truth.speech.customer) === 0 ||
      truth.unjudged.length > 0 ||
      !truth.file.match(/\.(?:wav|mp3|ogg|amr)$/)
    )
      continue;
    const transcriptPath = join(folder, `${name}.transcript.json`);
    if (!existsSync(transcriptPath)) continue;
    await using stereo = await openRecording({ name, path: join(folder, truth.file) }, {});
    using windows = openWindows(stereo.pcm, 8000);
    const sides = Array.from({ length: truth.layout === "mixed" || truth.layout === "dual-mono" ? 1 : windows.channels }, (_, channel) =>
      windows.window(channel, 0, truth.durationMs),
    );
    const mono = Float64Array.from(sides[0] ?? [], (sample, i) => sample + (sides[1]?.[i] ?? 0));
    const { opened, split } = await listen(`roles-${name}.wav`, await encode([mono], "mulaw"));
    const { sound } = await listener.listen(opened.pcm);
    await opened[Symbol.asyncDispose]();
    if (split.kind !== "two-voices") {
      found.push({ name, told: false, right: null, source: "none", confidence: 0, rightByFirst: null });
      continue;
    }
    const given = JSON.parse(readFileSync(transcriptPath, "utf8")) as {
      readonly language: "zh" | "en";
      readonly utterances: readonly Utterance[];
    };
    const transcript = byVoice(given, split);
    const metaPath = join(folder, `${name}.meta.json`);
    const input = {
      layout: "mixed",
      channels: sound.channels,
      metadata: existsSync(metaPath) ? JSON.parse(readFileSync(metaPath, "utf8")) : {},
      option: "auto",
      language: given.language,
      answeredAtMs: Math.max(0, ...sound.tones.filter(({ kind }) => kind === "ring-back").map(({ endMs }) => endMs)),
      voices: split.voices,
    } as const;
    const isRight = (agentSpeaker: string | null): boolean | null => {
      const agent = split.voices.find(({ speaker }) => speaker === agentSpeaker);
      return agent ? totalMs(overlap(agent.speech, truth.speech.agent)) > totalMs(overlap(agent.speech, truth.speech.customer)) : null;
    };
    const roles = assignRoles({ ...input, transcript });
    const right = isRight(roles.agentSpeaker);
    const rightByFirst = isRight(assignRoles({ ...input, transcript: { ...transcript, utterances: [] } }).agentSpeaker);
    found.push({ name, told: true, right, source: roles.roleSource, confidence: roles.roleConfidence, rightByFirst });
  }
  return found;
}

function byVoice(
  { language, utterances }: { readonly language: "zh" | "en"; readonly utterances: readonly Utterance[] },
  { voices: [one, two] }: TwoVoices,
): Transcript {
  const named = utterances.map(({ text, startMs, endMs }): Utterance => {
    const shares = [one, two].map(({ speech }) => totalMs(clip(speech, [startMs, endMs])));
    const speaker = (shares[0] ?? 0) >= (shares[1] ?? 0) ? one.speaker : two.speaker;
    return { role: null, channel: null, speaker, startMs, endMs, text, confidence: null, words: [], timing: "estimated" };
  });
  return { engine: "import", model: null, language, utterances: named };
}

function tell(roles: readonly RoleResult[]): void {
  const of = (kind: string) => results.filter((result) => result.kind === kind);
  const told = (all: readonly Result[]) => all.filter(({ split }) => split.kind === "two-voices");
  const worst = (all: readonly Result[]) => Math.min(1, ...all.map(({ right }) => right ?? 1));
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows: Row[] = [];
  for (const kind of [...new Set(results.map((result) => result.kind))]) {
    const all = of(kind);
    const passed = told(all);
    const isOne = kind.includes("one") && !kind.startsWith("two");
    const rights = passed.flatMap(({ right }) => (right === null ? [] : [right]));
    const isBarred = kind === "two";
    rows.push({
      what: `${kind}: told apart`,
      measured: `${passed.length} of ${all.length}`,
      bar: isOne ? "0" : isBarred ? ">= 60 %" : "",
      met: isOne ? passed.length === 0 : isBarred ? passed.length >= 0.6 * all.length : null,
    });
    if (!isOne && rights.length > 0)
      rows.push({
        what: `${kind}: right, median / worst`,
        measured: `${percent(median(rights))} / ${percent(worst(passed))}`,
        bar: isBarred ? ">= 95 %" : "",
        met: isBarred ? worst(passed) >= 0.95 : null,
      });
  }
  const speed = median(results.map(({ durationMs, splitMs }) => durationMs / splitMs));
  rows.push({ what: "speed, calls of 60 s and more", measured: `${Math.round(speed)} x real time`, bar: ">= 100", met: speed >= 100 });
  const known = roles.filter(({ told: isTold }) => isTold);
  const right = known.filter(({ right: isRight }) => isRight === true);
  rows.push({
    what: "roles right, of fixture calls told apart",
    measured: `${right.length} of ${known.length} (${roles.length} calls)`,
    bar: ">= 95 %",
    met: right.length >= 0.95 * known.length,
  });
  const judged = known.filter(({ rightByFirst }) => rightByFirst !== null);
  rows.push({
    what: "the same by who speaks first alone",
    measured: `${judged.filter(({ rightByFirst }) => rightByFirst).length} of ${judged.length}`,
    bar: "",
    met: null,
  });
  report("voices", rows, {
    calls: results.map(({ split, right: share, kind, name, line }) => ({
      kind,
      name,
      line,
      told: split.kind,
      right: share,
      ...(split.kind === "two-voices"
        ? split.confidence
        : { silhouette: split.silhouette, eigengap: split.eigengap, reason: split.reason }),
    })),
    roles,
  });
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
