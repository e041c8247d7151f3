import { BlockList, isIP } from "node:net";

/** Where one tool's requests may go. */
export interface EgressPolicy {
  /** Host names, exact or `*.example.com` for every name below; lower case. */
  readonly hosts: readonly string[];
  /** Exact `host:port` that may be asked although the address is private, or without TLS. */
  readonly allowPrivate: readonly string[];
}

/** Why a request may not leave. Certain to come before anything is sent. */
export class EgressRefused extends Error {
  override readonly name = "EgressRefused";
  readonly code = "EGRESS_REFUSED";
}

/**
 * Why a URL may not be asked, before any name is looked up; undefined when it may. Schemes other than http and https, credentials in the URL, hosts
 * that the tool does not declare, plain http and literal addresses that are not public are refused, unless `allowPrivate` names exactly this host and port.
 */
export function refuseUrl(url: URL, policy: EgressPolicy): string | undefined {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `scheme \`${url.protocol.slice(0, 20)}\` is not http or https`;
  if (url.username !== "" || url.password !== "") return "a URL must not hold a user name or password";
  const host = bareHost(url.hostname);
  if (!isDeclared(host, policy.hosts)) return `host \`${host}\` is not among the hosts that this tool may reach`;
  if (isAllowedPrivate(url, policy)) return undefined;
  if (url.protocol === "http:") return `\`${url.host}\` would be asked without TLS; use https, or allow exactly this host and port`;
  return isIP(host) === 0 ? undefined : refuseAddress(host);
}

/** Why an address may not be connected to; undefined for a public one. */
export function refuseAddress(address: string): string | undefined {
  const isPublic = isIP(address) !== 0 && !address.includes("%") && !isIn(address, notPublic4, notPublic6);
  return isPublic ? undefined : `address \`${address}\` is private, local or reserved`;
}

/** Whether an address gives out credentials of the machine itself; no exception for a name ever covers it. */
export function isLinkLocal(address: string): boolean {
  return isIP(address) !== 0 && isIn(address, linkLocal4, linkLocal6);
}

function isIn(address: string, list4: BlockList, list6: BlockList): boolean {
  return isIP(address) === 6 ? list6.check(address, "ipv6") : list4.check(address, "ipv4");
}

/** Whether exactly this host and port are excepted. */
export function isAllowedPrivate(url: Pick<URL, "hostname" | "port" | "protocol">, policy: EgressPolicy): boolean {
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const host = bareHost(url.hostname);
  return policy.allowPrivate.some((allowed) => allowed === `${host}:${port}` || allowed === `[${host}]:${port}`);
}

/** A host without the brackets of an IPv6 literal and without the trailing dot of a fully qualified name. */
export function bareHost(hostname: string): string {
  const host = hostname.startsWith("[") && hostname.endsWith("]") ? hostname.slice(1, -1) : hostname;
  return (host.endsWith(".") ? host.slice(0, -1) : host).toLowerCase();
}

function isDeclared(host: string, hosts: readonly string[]): boolean {
  return hosts.some((declared) => (declared.startsWith("*.") ? host.endsWith(declared.slice(1)) : host === declared));
}

// The special-purpose registries of IANA (RFC 6890 and its updates). Ranges that carry an IPv4 address inside IPv6 are refused as a whole, since
// what they lead to depends on a gateway.
const ipv4Ranges: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];
const ipv6Ranges: readonly (readonly [string, number])[] = [
  ["::", 96],
  ["::ffff:0:0", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];
// Two lists, since one list that holds the range of IPv4 addresses inside IPv6 refuses every IPv4 address.
const notPublic4 = new BlockList();
const notPublic6 = new BlockList();
for (const [network, prefix] of ipv4Ranges) notPublic4.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of ipv6Ranges) notPublic6.addSubnet(network, prefix, "ipv6");
const linkLocal4 = new BlockList();
linkLocal4.addSubnet("169.254.0.0", 16, "ipv4");
const linkLocal6 = new BlockList();
linkLocal6.addSubnet("fe80::", 10, "ipv6");
// The metadata service of one large cloud, which lies in a unique local range.
linkLocal6.addAddress("fd00:ec2::254", "ipv6");
linkLocal6.addSubnet("::ffff:169.254.0.0", 112, "ipv6");
