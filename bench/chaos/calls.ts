import { wav } from "../../test/support/audio-files.ts";
import { coded, talk } from "../../test/support/call-sound.ts";

/** Recordings of one spoken call, each with bytes of its own. */
export interface BenchCalls {
  readonly transcript: string;
  readonly seconds: number;
  recording(index: number): Buffer;
}

/** A call of two voices on two channels, 8 kHz, 16 bits; the last samples of each recording are its own. */
export function makeCalls(seconds = 20): BenchCalls {
  const call = talk(seconds);
  const [agent, customer] = call.sides.map((side) => coded(side, "mulaw")) as [Float32Array, Float32Array];
  const data = Buffer.alloc(agent.length * 4);
  for (const [i, sample] of agent.entries()) {
    data.writeInt16LE(Math.round(sample * 32_767), i * 4);
    data.writeInt16LE(Math.round((customer[i] ?? 0) * 32_767), i * 4 + 2);
  }
  const utterances = call.truth.flatMap((spans, channel) =>
    spans.map(([startMs, endMs], i) => ({
      role: channel === 0 ? "agent" : "customer",
      startMs,
      endMs,
      text: TEXTS[channel]?.[i % 3] ?? "",
    })),
  );
  utterances.sort((a, b) => a.startMs - b.startMs);
  return {
    transcript: JSON.stringify({ language: "zh", utterances }),
    seconds,
    recording(index) {
      const own = Buffer.from(data);
      for (let bit = 0; bit < 32; bit++) own.writeInt16LE((index >> bit) & 1, own.length - 4 * (bit + 1));
      return wav({ channels: 2, sampleRate: 8000, data: own });
    },
  };
}

const TEXTS: readonly (readonly string[])[] = [
  ["您好，很高兴为您服务，请问有什么可以帮您", "好的，我帮您查询一下这个订单的物流信息", "这个问题我们已经反馈给相关部门了"],
  ["我的快递一直没有到，已经三天了", "那你们什么时候能给我处理好呢", "好的，那我等你们电话吧"],
];
