import { createHmac } from "node:crypto";

/**
 * The header `x-callsift-signature` of a message: `t=<unix seconds>,v1=<hex>`, where the hex is HMAC-SHA-256 with the webhook's secret over `<unix seconds>.<id>.<body>`. The id is that of the header
 * `x-callsift-delivery`, the same for every try. A receiver computes it again over the raw body, compares in constant time, refuses times more than five minutes away, and ids it has seen.
 */
export function signatureOf(secret: string, message: { readonly id: string; readonly body: string }, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const digest = createHmac("sha256", secret).update(`${seconds}.${message.id}.${message.body}`).digest("hex");
  return `t=${seconds},v1=${digest}`;
}
