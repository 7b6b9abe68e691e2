import { openRecording } from "../../src/pipeline/audio/open.ts";
import { openPcm } from "../../src/pipeline/audio/pcm.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";

/** Reads a whole recording as the pipeline does and prints what it cost: run as a process of its own by a test. */
async function readThrough(path: string): Promise<{ frames: number; peakMegabytes: number }> {
  await using opened = await openRecording({ name: "long", path });
  let frames = 0;
  for (const file of opened.pcm) {
    const reader = openPcm(file);
    const block = Array.from({ length: reader.channels }, () => new Float32Array(4096));
    const resamplers = block.map(() => createResampler(reader.sampleRate, 8000));
    for (let at = 0; ; ) {
      const got = reader.read(at, 4096, block);
      if (got === 0) break;
      for (const [channel, samples] of block.entries()) resamplers[channel]?.push(samples.subarray(0, got));
      at += got;
      frames += got;
    }
    reader.close();
  }
  return { frames, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
}

process.stdout.write(JSON.stringify(await readThrough(process.argv[2] ?? "")));
