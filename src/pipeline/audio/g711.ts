/** ITU-T G.711: one byte holds a sign, a segment (3 bits) and a step inside it (4 bits). Tables give -1..1. */

function decodeMulaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

function decodeAlaw(byte: number): number {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const step = ((code & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

/** Byte -> sample, 256 entries: sixteen-bit values of G.711 over 32768. */
export function g711Table(law: "mulaw" | "alaw"): Float32Array {
  const decode = law === "mulaw" ? decodeMulaw : decodeAlaw;
  return Float32Array.from({ length: 256 }, (_, byte) => decode(byte) / 32768);
}
