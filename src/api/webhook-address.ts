import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { refusedAddress } from "../fetch/addresses.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { invalidAt } from "./validate.ts";

/**
 * Checks where a webhook is to be told: http or https, without a name and password in it, and not at an address of one's own networks unless that is allowed. Whoever sends looks again: names may lead elsewhere by then.
 *
 * @param resolve addresses of a host name
 * @throws CallsiftError `request/invalid`, `source/refused`
 */
export async function checkWebhookAddress(
  text: string,
  {
    privateAddresses,
    resolve = addressesOf,
  }: { readonly privateAddresses: boolean; readonly resolve?: (host: string) => Promise<readonly string[]> },
): Promise<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) throw invalidAt("body/url", "expected an http or https address");
  if (url.username || url.password) throw invalidAt("body/url", "expected an address without a name and a password");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = ipaddr.isValid(host) ? [host] : await resolve(host);
  if (addresses.length === 0) throw invalidAt("body/url", "expected a host that can be found");
  const refused = addresses.map((address) => refusedAddress(address, { privateAddresses })).find((why) => why !== null);
  if (refused)
    throw new CallsiftError("source/refused", `body/url: expected an address that may be told, got one that leads to ${refused}`);
  return url.href;
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
