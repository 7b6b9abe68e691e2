import type { CompiledPhrase } from "./phrase.ts";

/** A phrase of the rules that is listened for twice (second listen). */
export interface ListenedPhrase {
  readonly phrase: CompiledPhrase;
  /** Where the text has it, the sound is decoded again: it costs points. */
  readonly confirm: boolean;
  /** Where the text has something that sounds like it, the wording is judged on the sound. */
  readonly search: boolean;
  /** Phrases of a group stand for one another: where the text has one, the rest are not searched for, unless they are in another group too. */
  readonly groups?: readonly string[];
}
