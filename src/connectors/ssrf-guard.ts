/**
 * Connects only to addresses that were checked. A literal address never reaches a resolver, so it is checked first; a name is looked up once, every
 * address of the answer is checked, and the connection goes to a checked address and not to the name, so that an answer that changes between check
 * and connect (DNS rebinding) changes nothing. TLS still verifies the name.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { buildConnector } from "undici";
import type { Limits } from "../base/limits.ts";
import { bareHost, EgressRefused, isAllowedPrivate, isLinkLocal, refuseAddress, refuseUrl, type EgressPolicy } from "./egress.ts";

/** Looks a host name up; rejects when there is none. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string }[]>;

/** The system's resolver: hosts file, search domains and DNS, in the order it answers. */
export const systemLookup: Lookup = (hostname) => lookup(hostname, { all: true, order: "verbatim" });

/** How guarded connections are made. */
export interface GuardParts {
  readonly allow: EgressPolicy;
  readonly limits: Limits;
  /** Default `systemLookup`. */
  readonly lookup?: Lookup | undefined;
}

/** A connector for an undici dispatcher; refuses with `EgressRefused` before a socket is opened. */
export function createGuardedConnector(parts: GuardParts): buildConnector.connector {
  const connect = buildConnector({ timeout: parts.limits.connectTimeoutMs, allowH2: false });
  return (options, callback) => void connectChecked({ parts, connect, options, callback });
}

async function connectChecked(guarded: {
  readonly parts: GuardParts;
  readonly connect: buildConnector.connector;
  readonly options: buildConnector.Options;
  readonly callback: buildConnector.Callback;
}): Promise<void> {
  const { parts, connect, options, callback } = guarded;
  let addresses: readonly string[];
  try {
    addresses = await checkedAddresses(parts, options);
  } catch (error) {
    callback(error instanceof Error ? error : new EgressRefused("the host could not be looked up"), null);
    return;
  }
  connectFirst({ connect, options, addresses, callback });
}

async function checkedAddresses(parts: GuardParts, options: buildConnector.Options): Promise<readonly string[]> {
  const target = { hostname: options.hostname, port: options.port, protocol: options.protocol };
  const host = bareHost(options.hostname);
  // Undici has resolved the URL already, so it is checked again as it will be connected to, with userinfo long gone.
  const refusal = refuseUrl(
    new URL(`${options.protocol}//${isIP(host) === 6 ? `[${host}]` : host}${options.port === "" ? "" : `:${options.port}`}`),
    parts.allow,
  );
  if (refusal !== undefined) throw new EgressRefused(refusal);
  if (isIP(host) !== 0) return [host];
  const answer = await (parts.lookup ?? systemLookup)(host);
  const addresses = answer.slice(0, parts.limits.dnsAddressesMax).map(({ address }) => address);
  if (addresses.length === 0) throw new EgressRefused(`host \`${host}\` has no address`);
  const isExcepted = isAllowedPrivate(target, parts.allow);
  for (const address of addresses) {
    // One address that is not public spoils the answer: an honest public name has none.
    const problem = isExcepted && isIP(address) !== 0 && !isLinkLocal(address) ? undefined : refuseAddress(address);
    if (problem !== undefined) throw new EgressRefused(`host \`${host}\` leads to ${problem}`);
  }
  return addresses;
}

function connectFirst(parts: {
  readonly connect: buildConnector.connector;
  readonly options: buildConnector.Options;
  readonly addresses: readonly string[];
  readonly callback: buildConnector.Callback;
}): void {
  const { connect, options, addresses, callback } = parts;
  const [address, ...others] = addresses;
  connect({ ...options, hostname: address as string }, (...outcome) => {
    // A machine without IPv6 still reaches hosts that name an IPv6 address first.
    if (outcome[0] !== null && others.length > 0) connectFirst({ ...parts, addresses: others });
    else callback(...outcome);
  });
}
