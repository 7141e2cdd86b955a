/**
 * Rules of nftables for the ways out of VPCs. Each table is made anew in one step, so flows that there are go on.
 *
 *   pod ── vpc0 │ namespace of the VPC │ host0 ── cvg<vni> │ host │ ── world
 *               masquerade: a pair's address              masquerade: the host's address
 */

/** The ends of links in a gateway's namespace: into the VPC, and to the host. */
export const innerNames = { vpc: 'vpc0', host: 'host0' } as const;
/** Begins the names of the links to gateways at the host. */
export const wayOutPrefix = 'cvg';
const tableName = 'caravan';

/** Of the links to gateways, on this host alone: a pair for each. Nothing of them is ever seen outside. */
export const pairRanges = { ipv4: '169.254.64.0/18', ipv6: 'fd63:7661:6e00::/48' } as const;
/** Pairs in the range of IPv4. */
export const pairLimit = 8192;

/** The host's address of a pair, and the gateway's: a /31 and a /127. */
export function pairAddresses(pair: number): { readonly ipv4: readonly [string, string]; readonly ipv6: readonly [string, string] } {
  const ipv4 = (at: number): string => `169.254.${64 + (at >>> 8)}.${at & 0xff}`;
  const ipv6 = (at: number): string => `fd63:7661:6e00::${(at + 2).toString(16)}`;
  return { ipv4: [ipv4(pair * 2), ipv4(pair * 2 + 1)], ipv6: [ipv6(pair * 2), ipv6(pair * 2 + 1)] };
}

/** The two ends of a link find each other. */
const neighbours = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept';

/** In the namespace of a VPC: pods begin flows to the host, nobody begins one to them. */
export function namespaceRules(): string {
  return table(`
  chain input {
    type filter hook input priority filter; policy accept;
    ${neighbours}
    iifname "${innerNames.host}" ct state != { established, related } drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct state { established, related } accept
    iifname "${innerNames.vpc}" oifname "${innerNames.host}" accept
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${innerNames.host}" masquerade
  }`);
}

export interface HostRules {
  /** Of the hosts of the overlay, IPv4: tenants do not reach them, as they could speak with a host's address there. */
  readonly hosts: readonly string[];
  /** Families that this host forwards for gateways alone. */
  readonly forwardsForGatewaysOnly: readonly ('ipv4' | 'ipv6')[];
}

/** At the host: from gateways to the world and the answers, and to nothing else. Priorities before those of other tables. */
export function hostRules({ hosts, forwardsForGatewaysOnly }: HostRules): string {
  const gateways = `"${wayOutPrefix}*"`;
  return table(`
  set hosts {
    type ipv4_addr
    ${hosts.length === 0 ? '' : `elements = { ${hosts.join(', ')} }`}
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    ${neighbours}
    iifname ${gateways} drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${gateways} ip saddr != ${pairRanges.ipv4} drop
    iifname ${gateways} ip6 saddr != ${pairRanges.ipv6} drop
    iifname ${gateways} ip daddr @hosts drop
    iifname ${gateways} oifname ${gateways} drop
    iifname ${gateways} accept
    oifname ${gateways} ct state { established, related } accept
    oifname ${gateways} drop
    ${forwardsForGatewaysOnly.map((family) => `meta nfproto ${family} drop`).join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${pairRanges.ipv4} oifname != ${gateways} udp sport 6081 masquerade to :61000-65000
    ip saddr ${pairRanges.ipv4} oifname != ${gateways} masquerade
    ip6 saddr ${pairRanges.ipv6} oifname != ${gateways} masquerade
  }`);
}

/** Takes the table away, whether it is there or not. */
export function noRules(): string {
  return `table inet ${tableName} {}\ndelete table inet ${tableName}\n`;
}

function table(body: string): string {
  return `${noRules()}table inet ${tableName} {${body}\n}\n`;
}
