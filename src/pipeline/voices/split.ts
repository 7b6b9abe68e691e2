import { openNarrowBand } from "../audio/narrow-band.ts";
import { totalMs } from "../timeline.ts";
import type { PcmFile, Sound, Span } from "../types.ts";
import { printLooks } from "./looks.ts";
import type { VoiceSplit } from "./port.ts";
import { tellApart } from "./tell-apart.ts";
import type { VoiceEncoder } from "./voice-encoder.ts";
import { VOICE_ENCODER_SHA256 } from "./voice-weights.ts";

/**
 * Below either of these it may be one voice, or three. Of 446 calls of one voice (56 voices, through one line or several) none
 * reaches both; of 163 calls of two voices 128 pass.
 */
export const LEAST_SILHOUETTE = 0.27;
export const LEAST_EIGENGAP = 0.25;
/** A voice that falls apart this clearly, and this far for the distance of the two voices, is two people. */
const MOST_INNER_SILHOUETTE = 0.36;
const MOST_INNER_SHARE = 0.25;

/** Raised by hand whenever the same speech would fall into other voices than before. */
const METHOD_VERSION = 1;
/** Part of the recipe hash: method and weights. */
export const SPLIT_RECIPE = `voices/${METHOD_VERSION}@${VOICE_ENCODER_SHA256.slice(0, 12)}`;

/** What is to be told apart; plain data, so that it can go to another thread. */
export interface ToSplit {
  readonly pcm: readonly PcmFile[];
  readonly channel: number;
  /** Disjoint, ascending. */
  readonly speech: readonly Span[];
}

/** The part of a recording that the splitter needs. */
export function toSplit(pcm: readonly PcmFile[], sound: Sound, channel: number): ToSplit {
  return { pcm, channel, speech: sound.channels.find((one) => one.channel === channel)?.speech ?? [] };
}

export interface SplitVoicesOptions {
  /** Asked between batches; true ends it with `aborted`. */
  readonly isAborted?: () => boolean;
}

/**
 * Tells the two voices of a channel apart, or says why it can't, in this thread.
 *
 * @throws CallsiftError `aborted`, `audio/…` of openPcm
 */
export async function splitVoices(call: ToSplit, encoder: VoiceEncoder, options: SplitVoicesOptions = {}): Promise<VoiceSplit> {
  const { channel, speech } = call;
  const notTold = (reason: string, silhouette: number | null = null, eigengap: number | null = null): VoiceSplit => ({
    kind: "not-told",
    channel,
    reason,
    silhouette,
    eigengap,
  });
  if (speech.length === 0) return notTold("no speech");
  using sound = openNarrowBand(call.pcm);
  if (channel >= sound.channels) return notTold(`no channel ${channel}`);
  const prints = await printLooks(encoder, {
    speech,
    window: (startMs, lengthMs) => sound.window(channel, startMs, lengthMs),
    ...options,
  });
  const apart = tellApart(speech, prints);
  if (!apart) return notTold(`too little speech to tell voices apart: ${(totalMs(speech) / 1000).toFixed(1)} s`);
  const { silhouette, eigengap } = apart.separation;
  if (!(silhouette >= LEAST_SILHOUETTE))
    return notTold(`no two clear voices: silhouette ${silhouette.toFixed(2)}, expected at least ${LEAST_SILHOUETTE}`, silhouette, eigengap);
  if (!(eigengap >= LEAST_EIGENGAP))
    return notTold(`not just two voices: eigengap ${eigengap.toFixed(2)}, expected at least ${LEAST_EIGENGAP}`, silhouette, eigengap);
  if (apart.inner.some((inner) => inner.silhouette >= MOST_INNER_SILHOUETTE && inner.share >= MOST_INNER_SHARE))
    return notTold("more than two voices: one of the two falls apart itself", silhouette, eigengap);
  const [one, two] = apart.speech;
  if (one.length === 0 || two.length === 0) return notTold("one voice has no turn of its own", silhouette, eigengap);
  return {
    kind: "two-voices",
    channel,
    voices: [
      { channel, speaker: "voice-1", speech: one },
      { channel, speaker: "voice-2", speech: two },
    ],
    confidence: apart.separation,
  };
}
