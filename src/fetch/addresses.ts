import ipaddr from "ipaddr.js";

/** What an address is, in the words of the registries of special addresses (RFC 6890). */
type Range = ReturnType<ipaddr.IPv4["range"]> | ReturnType<ipaddr.IPv6["range"]>;

/** Addresses of one's own networks, which an installation may want to allow. */
const OWN: readonly Range[] = ["private", "loopback", "carrierGradeNat", "uniqueLocal"];
/** Services that hand out a machine's own credentials, where they do not have a link-local address. */
const METADATA = ["100.100.100.200", "192.0.0.192", "fd00:ec2::254"].map((address) => ipaddr.parse(address).toNormalizedString());

/**
 * Why this address is not to be connected to; null where it is fine. Nothing but plain public addresses is, and with `privateAddresses` those of one's own networks. What only wraps an IPv4 address
 * (mapped, translated, tunnelled) is never public; a mapped one is taken for what it stands for.
 */
export function refusedAddress(address: string, { privateAddresses }: { readonly privateAddresses: boolean }): string | null {
  if (!ipaddr.isValid(address)) return "no address";
  const parsed = ipaddr.process(address);
  if (METADATA.includes(parsed.toNormalizedString())) return "a metadata service";
  const range = parsed.range();
  if (range === "unicast" || (privateAddresses && OWN.includes(range))) return null;
  return `an address of the kind ${range}`;
}
