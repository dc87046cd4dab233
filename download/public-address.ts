import ipaddr from 'ipaddr.js';

/**
 * Whether an address is one that everybody reaches, and nobody's own: not of this machine, a private network, a link, a
 * carrier, a document, nor one that stands for an IPv4 address inside an IPv6 one.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // All that is given out of IPv6 lies in there; elsewhere are NAT64 of a site (64:ff9b:1::/48) and what is to come.
  return parsed.kind() === 'ipv4' || (parsed.match(GLOBAL_UNICAST) && !parsed.match(DOCUMENTATION));
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const DOCUMENTATION = ipaddr.IPv6.parseCIDR('3fff::/20');
