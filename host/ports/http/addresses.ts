/** Which addresses are the world's, and which are this machine's and its networks' (SSRF). */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** What IANA has given to the world so far; everything else of IPv6 leads somewhere special. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** Public by number, and answered by the machine's own cloud. */
const METADATA = new Set(['168.63.129.16']);

const WORDS: Readonly<Record<string, string>> = {
  unspecified: 'no address of one host',
  broadcast: 'a broadcast address',
  multicast: 'a multicast address',
  linkLocal: 'a link-local address',
  loopback: 'a loopback address',
  carrierGradeNat: 'an address of a carrier’s network',
  private: 'a private address',
  uniqueLocal: 'a private address',
  ipv4Mapped: 'an IPv4 address in disguise',
  rfc6052: 'an IPv4 address in disguise',
  rfc6145: 'an IPv4 address in disguise',
  '6to4': 'an IPv4 address in disguise',
  teredo: 'an IPv4 address in disguise',
};

/** Why an address is not the world's, as a noun; undefined for one that is. */
export function specialRange(address: string): string | undefined {
  // A zone (`fe80::1%eth0`) says through which interface, and only local addresses have one.
  if (address.includes('%')) return WORDS['linkLocal'];
  if (!ipaddr.isValid(address)) return 'no address';
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (range !== 'unicast') return WORDS[range] ?? 'a reserved address';
  if (parsed instanceof ipaddr.IPv6 && !parsed.match(GLOBAL_IPV6)) return 'a reserved address';
  if (METADATA.has(address)) return 'an address of the cloud that the machine runs in';
  return isOwn(parsed.toNormalizedString()) ? 'an address of this machine' : undefined;
}

function isOwn(address: string): boolean {
  for (const interfaces of Object.values(networkInterfaces()))
    for (const { address: own } of interfaces ?? [])
      if (ipaddr.isValid(own) && ipaddr.parse(own).toNormalizedString() === address) return true;
  return false;
}
