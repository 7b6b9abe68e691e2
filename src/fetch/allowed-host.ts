/**
 * Whether a URL's host is one of `allowed`: a name, `*.example.com` for every name below it, and with `:8443` behind it only that port.
 *
 * @param allowed lower case
 */
export function isAllowedHost({ hostname, port, protocol }: URL, allowed: readonly string[]): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  const full = `${host}:${port || (protocol === "https:" ? "443" : "80")}`;
  return allowed.some((pattern) => {
    if (pattern === host || pattern === full || `[${pattern}]` === host) return true;
    if (!pattern.startsWith("*.")) return false;
    const tail = pattern.slice(1);
    return host.endsWith(tail) || full.endsWith(tail);
  });
}
