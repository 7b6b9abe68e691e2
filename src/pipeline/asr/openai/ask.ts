import type OpenAI from "openai";
import { CallsiftError } from "../../errors.ts";
import type { Language } from "../../types.ts";
import type { Clock } from "./clock.ts";
import { type Failure, failureOf } from "./failure.ts";
import type { SoundFile } from "./sound-file.ts";

/** One piece of sound for the server. */
export interface Question {
  readonly file: SoundFile;
  readonly language: Language | "auto";
  /** What the text is made to follow on from. */
  readonly prompt: string | null;
  readonly signal: AbortSignal;
  /** By the clock. */
  readonly deadlineMs: number;
}

/** Gives the server's answer: parsed JSON, or a text. */
export type Ask = (question: Question) => Promise<unknown>;

interface Form {
  readonly response_format: "verbose_json" | "json" | "text";
  readonly timestamp_granularities?: ("word" | "segment")[];
  readonly include?: "logprobs"[];
}

/** What a server is asked for, the most telling first. */
function formsFor(model: string): readonly Form[] {
  return [
    { response_format: "verbose_json", timestamp_granularities: ["word", "segment"] },
    { response_format: "verbose_json" },
    // The only ones that give odds with plain JSON; others may refuse the field.
    ...(/^gpt-4o/.test(model) ? [{ response_format: "json" as const, include: ["logprobs" as const] }] : []),
    { response_format: "json" },
    { response_format: "text" },
  ];
}

const RETRIES = 3;
/** Wait before the first retry and the longest one, where the server names none, ms. */
const WAIT = { firstMs: 500, mostMs: 8_000 };

export interface AskOptions {
  readonly client: OpenAI;
  readonly model: string;
  readonly clock: Clock;
  readonly secrets: readonly string[];
}

/**
 * Asks a server of the OpenAI transcription protocol, again where that may help and the deadline allows. The first form of answer that it does not refuse is kept for all
 * later pieces.
 */
export function createAsk({ client, model, clock, secrets }: AskOptions): Ask {
  const forms = formsFor(model);
  let proven: Form | null = null;

  async function request({ file, language, prompt, signal }: Question, form: Form): Promise<unknown> {
    const { bytes, name, type } = file;
    const body = {
      file: new File([bytes], name, { type }),
      model,
      // The same sound gives the same text: without it some servers sample where they are unsure, five times over.
      temperature: 0,
      ...(language !== "auto" && { language }),
      ...(prompt !== null && { prompt }),
      ...form,
    };
    const answer: unknown = await client.audio.transcriptions.create(body, { signal, maxRetries: 0 });
    return typeof answer === "string" && form.response_format !== "text" ? parse(answer) : answer;
  }

  async function persist(question: Question, form: Form): Promise<{ readonly answer: unknown } | { readonly failure: Failure }> {
    const { signal, deadlineMs } = question;
    for (let attempt = 0; ; attempt++) {
      try {
        return { answer: await request(question, form) };
      } catch (thrown) {
        signal.throwIfAborted();
        const failure = failureOf(thrown, secrets, Date.now());
        if (!failure.canHeal || attempt === RETRIES) return { failure };
        // Between half and all of a time that doubles: those who failed together do not come back together.
        const ownMs = Math.min(WAIT.firstMs * 2 ** attempt, WAIT.mostMs) * (0.5 + 0.5 * clock.random());
        const waitMs = failure.retryAfterMs ?? ownMs;
        // To sleep until the time is over would help nobody.
        if (clock.nowMs() + waitMs >= deadlineMs) return { failure };
        await clock.sleep(waitMs, signal);
      }
    }
  }

  return async (question) => {
    let refused: CallsiftError | null = null;
    for (const form of proven ? [proven] : forms) {
      const outcome = await persist(question, form);
      if ("answer" in outcome) {
        proven ??= form;
        return outcome.answer;
      }
      // The first refusal says what was wrong with the wish; a failure of another kind is news.
      refused ??= outcome.failure.error;
      if (!outcome.failure.isRefusal) throw outcome.failure.error;
    }
    throw refused ?? new CallsiftError("asr/failed", "expected a form of answer to ask for, got none");
  };
}

/** Some servers give JSON under another name. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const got = /^\s*</.test(text) ? "a page of HTML" : "something else";
    throw new CallsiftError("asr/bad-answer", `expected JSON from the speech server, got ${got}`);
  }
}
