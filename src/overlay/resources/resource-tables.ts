import {
  choice,
  integer,
  list,
  mapOf,
  optional,
  required,
  SchemaProblem,
  text,
  textMap,
  withDefault,
  type Path,
  type Schema,
} from '../../management/schema.ts';
import { checked, table, type TableSchema } from '../../site/resource-schema.ts';
import { address, contains, isIpv4Text, mac, overlap, prefix, prefixOf } from './address-types.ts';
import { labelLimits, labelsProblem } from '../compiler/labels.ts';
import type {
  EgressRule,
  EndpointForward,
  EndpointOffer,
  EndpointSpec,
  IngressRule,
  Labels,
  OverlayKind,
  OverlayMetadata,
  OverlayPolicySpec,
  OverlayServiceSpec,
  OverlaySpecs,
  PolicyPeer,
  PolicyPort,
  ServicePort,
  SubnetSpec,
  VpcEgress,
  VpcSpec,
} from './resource-types.ts';
import { socketAddress } from './socket-address.ts';

/** What each kind may say by itself. What a set of them says together is checked in `network.ts`. */

/** Room in the 24 bits of a packet's VNI; 0 is nobody's. */
export const highestVni = 0xffffff;
/** The least MTU of IPv6. */
const lowestMtu = 1280;
/** Jumbo frames without what goes around them. */
const highestMtu = 9000;
/** Blocks of addresses that hosts lease, as a length in bits of 128: `control/address.ts` has the same. */
const blockLength = 124;
/** Prefixes of one VPC: each of its subnets is compared with them. */
const vpcPrefixLimit = 16;
/** Ports of one service: each is a record in the data path. */
const servicePortLimit = 64;
/** Forwards of one endpoint, and offers: each is a socket of the daemon. */
const joinedPortLimit = 64;

const name = text({
  maximumLength: 63,
  pattern: /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/,
  patternMeaning: "a name of at most 63 lower case letters, digits and '-', beginning and ending with a letter or digit",
});

const port = integer(1, 65535);
const prefixes = list(prefix());
const addresses = list(address());

/** Labels of endpoints; a selector names those that must be there. */
const labelMap: Schema<Labels> = mapOf(text({ minimumLength: 0, maximumLength: labelLimits.valueCharacters }));
const labels: Schema<Labels> = {
  type: labelMap.type,
  read(value, path): Labels {
    const read = labelMap.read(value, path);
    const problem = labelsProblem(read);
    if (problem !== undefined) throw new SchemaProblem('invalid', path, problem);
    return read;
  },
};

const ignoredMetadata = {
  creationTimestamp: 'it is made by Kubernetes',
  deletionTimestamp: 'it is made by Kubernetes',
  deletionGracePeriodSeconds: 'it is made by Kubernetes',
  finalizers: 'it is made by Kubernetes',
  generation: 'it is made by Kubernetes',
  managedFields: 'it is made by Kubernetes',
  ownerReferences: 'it is made by Kubernetes',
  resourceVersion: 'it is made by Kubernetes',
  selfLink: 'it is made by Kubernetes',
};

export const metadataTable: TableSchema<OverlayMetadata> = table<OverlayMetadata>(
  {
    name: required(name, 'name of the resource'),
    uid: optional(text({ maximumLength: 64 }), 'unique id'),
    labels: optional(labels, 'labels by name; policies and services select endpoints by them'),
    annotations: optional(textMap(), 'annotations by name'),
  },
  {
    ignored: ignoredMetadata,
    unsupported: { namespace: { reason: 'networks of tenants are told apart by their VPC, and names are of all of them' } },
  },
);

const vpcEgressTable: TableSchema<VpcEgress> = checked(
  table<VpcEgress>({
    mode: withDefault(choice(['nat']), 'nat', 'nat: endpoints reach what is outside with the address of a host as their source'),
    hosts: withDefault(list(text({ maximumLength: 253 })), [], 'names of the hosts that it goes by; all hosts when empty'),
  }),
  ({ hosts }, path) => once(hosts, [...path, 'hosts']),
);

const vpcTable: TableSchema<VpcSpec> = checked(
  table<VpcSpec>({
    vni: optional(integer(1, highestVni), 'what tells its packets from those of other VPCs; one is chosen when absent'),
    prefixes: required(list(prefix(), 1), 'ranges of addresses that its subnets may have'),
    peers: withDefault(list(name), [], 'VPCs whose endpoints are reached too; each of the two names the other'),
    egress: optional(vpcEgressTable, 'the way to what is outside of all VPCs; there is none when absent'),
    dns: withDefault(
      choice(['forward', 'local', 'off']),
      'forward',
      "forward: names that are not the VPC's own are asked of the host's resolvers; local: there are no others; off: there is no DNS",
    ),
  }),
  ({ prefixes: given, peers }, path) => {
    atMost(vpcPrefixLimit, given, [...path, 'prefixes']);
    for (const [index, one] of given.entries()) checkUsable(one, [...path, 'prefixes', index]);
    apart(given, [...path, 'prefixes']);
    once(peers, [...path, 'peers']);
  },
);

const subnetTable: TableSchema<SubnetSpec> = checked(
  table<SubnetSpec>({
    vpc: required(name, 'VPC that it belongs to'),
    prefixes: required(list(prefix(), 1), 'its range of addresses; at most one of IPv4 and one of IPv6'),
    gateways: withDefault(
      addresses,
      [],
      'address of the gateway, one for each prefix; the first address behind that of the network when absent',
    ),
    fixed: withDefault(prefixes, [], 'ranges that are left to addresses which users choose themselves; one in each prefix at most'),
    mtu: optional(integer(lowestMtu, highestMtu), 'MTU of its endpoints in octets; what the underlay has room for when absent'),
  }),
  ({ prefixes: given, gateways, fixed }, path) => {
    onePerFamily(given, [...path, 'prefixes']);
    for (const [index, one] of given.entries()) {
      const room = prefixOf(one).length;
      if (room > 126) throw new SchemaProblem('invalid', [...path, 'prefixes', index], `${one} has no room for endpoints`);
    }
    onePerFamily(gateways, [...path, 'gateways']);
    const orphan = gateways.findIndex((gateway) => !given.some((one) => isIpv4Text(one) === isIpv4Text(gateway)));
    if (orphan !== -1) throw new SchemaProblem('invalid', [...path, 'gateways', orphan], 'has no prefix of its family');
    onePerFamily(fixed, [...path, 'fixed']);
    for (const [index, one] of fixed.entries()) {
      if (prefixOf(one).length > blockLength) {
        throw new SchemaProblem(
          'invalid',
          [...path, 'fixed', index],
          `${one} is smaller than a block of 16 addresses, which hosts get as a whole`,
        );
      }
      if (!given.some((outer) => contains(prefixOf(outer), prefixOf(one)))) {
        throw new SchemaProblem('invalid', [...path, 'fixed', index], `${one} is not inside of ${given.join(' or ')}`);
      }
    }
  },
);

/** IFNAMSIZ less the closing zero; letters that need no quotes anywhere. */
const ifname = text({
  maximumLength: 15,
  pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
  patternMeaning: 'the name of an interface: at most 15 letters, digits, ".", "_" and "-"',
});

const forwardTable: TableSchema<EndpointForward> = table<EndpointForward>({
  protocol: withDefault(choice(['tcp', 'udp']), 'tcp', 'protocol'),
  port: required(port, 'port that clients in the VPC use'),
  to: required(socketAddress(), 'where the program on the host listens'),
});

const offerTable: TableSchema<EndpointOffer> = table<EndpointOffer>({
  protocol: withDefault(choice(['tcp', 'udp']), 'tcp', 'protocol'),
  listen: required(socketAddress(), 'where the host listens'),
  to: required(socketAddress(), 'where the program in the VPC listens'),
});

const endpointTable: TableSchema<EndpointSpec> = checked(
  table<EndpointSpec>({
    subnet: required(name, 'subnet that it is in'),
    addresses: withDefault(addresses, [], 'its addresses, at most one of IPv4 and one of IPv6; free ones are taken when absent'),
    mac: optional(mac(), 'its MAC; one is made when absent'),
    host: optional(text({ maximumLength: 253 }), 'name of the host that it is at'),
    netns: optional(
      text({ maximumLength: 4096, pattern: /^\/[^\0]*$/, patternMeaning: 'an absolute path' }),
      'network namespace on that host',
    ),
    ifname: withDefault(ifname, 'eth0', 'name of its interface'),
    forward: withDefault(list(forwardTable), [], 'ports of its addresses that lead to programs on the host'),
    offer: withDefault(list(offerTable), [], 'ports of the host that lead into the VPC'),
  }),
  ({ addresses: given, netns, forward, offer }, path) => {
    onePerFamily(given, [...path, 'addresses']);
    atMost(joinedPortLimit, forward, [...path, 'forward']);
    atMost(joinedPortLimit, offer, [...path, 'offer']);
    once(
      forward.map(({ protocol, port: number }) => `${protocol} ${number}`),
      [...path, 'forward'],
    );
    once(
      offer.map(({ protocol, listen }) => `${protocol} ${listen}`),
      [...path, 'offer'],
    );
    if (netns !== undefined && forward.length + offer.length > 0) {
      throw new SchemaProblem('invalid', [...path, 'netns'], 'is made by the daemon when there is a forward or an offer');
    }
  },
);

const servicePortTable: TableSchema<ServicePort> = table<ServicePort>({
  name: optional(name, 'name of the port'),
  protocol: withDefault(choice(['tcp', 'udp']), 'tcp', 'protocol'),
  port: required(port, 'port that clients use'),
  targetPort: optional(port, 'port of the endpoints; the same when absent'),
});

const serviceTable: TableSchema<OverlayServiceSpec> = checked(
  table<OverlayServiceSpec>({
    vpc: required(name, 'VPC that it is in'),
    addresses: required(list(address(), 1), 'its addresses, at most one of IPv4 and one of IPv6'),
    ports: required(list(servicePortTable, 1), 'its ports'),
    selector: required(labels, 'labels that the endpoints behind it have'),
    affinity: withDefault(choice(['none', 'client']), 'none', 'client: connections of one client go to one endpoint'),
  }),
  ({ addresses: given, ports, selector }, path) => {
    onePerFamily(given, [...path, 'addresses']);
    atMost(servicePortLimit, ports, [...path, 'ports']);
    once(
      ports.map(({ protocol, port: number }) => `${protocol} ${number}`),
      [...path, 'ports'],
    );
    if (Object.keys(selector).length === 0) throw new SchemaProblem('invalid', [...path, 'selector'], 'must name a label');
  },
);

const peerTable: TableSchema<PolicyPeer> = checked(
  table<PolicyPeer>({
    selector: optional(labels, 'endpoints of the VPC that have these labels; all of them when empty'),
    prefix: optional(prefix(), 'addresses'),
    except: withDefault(prefixes, [], 'parts of the prefix that are not meant'),
  }),
  ({ selector, prefix: outer, except }, path) => {
    if ((selector === undefined) === (outer === undefined)) {
      throw new SchemaProblem('invalid', path, "needs exactly one of 'selector' and 'prefix'");
    }
    for (const [index, one] of except.entries()) {
      if (outer === undefined || !contains(prefixOf(outer), prefixOf(one))) {
        throw new SchemaProblem('invalid', [...path, 'except', index], `${one} is not inside of the prefix`);
      }
    }
  },
);

const policyPortTable: TableSchema<PolicyPort> = checked(
  table<PolicyPort>({
    protocol: withDefault(choice(['tcp', 'udp', 'sctp', 'icmp']), 'tcp', 'protocol'),
    port: optional(port, 'port, or the first one of a range; all when absent'),
    endPort: optional(port, 'last port of a range'),
  }),
  ({ protocol, port: first, endPort }, path) => {
    if (protocol === 'icmp' && first !== undefined) throw new SchemaProblem('invalid', [...path, 'port'], 'icmp has no ports');
    if (endPort === undefined) return;
    if (first === undefined || endPort < first) throw new SchemaProblem('invalid', [...path, 'endPort'], "must not be below 'port'");
  },
);

const rulePorts = withDefault(list(policyPortTable), [], 'what is allowed; everything when empty');

const ingressTable: TableSchema<IngressRule> = table<IngressRule>({
  from: withDefault(list(peerTable), [], 'who may send; everybody when empty'),
  ports: rulePorts,
});

const egressTable: TableSchema<EgressRule> = table<EgressRule>({
  to: withDefault(list(peerTable), [], 'who may be sent to; everybody when empty'),
  ports: rulePorts,
});

const policyTable: TableSchema<OverlayPolicySpec> = checked(
  table<OverlayPolicySpec>({
    vpc: required(name, 'VPC that it is for'),
    selector: withDefault(labels, {}, 'labels of the endpoints that it is for; all endpoints of the VPC when empty'),
    policyTypes: withDefault(
      list(choice(['Ingress', 'Egress']), 1),
      ['Ingress'],
      'directions in which nothing else is allowed; Egress must stand here when egress is given',
    ),
    ingress: withDefault(list(ingressTable), [], 'what may come in'),
    egress: withDefault(list(egressTable), [], 'what may go out'),
  }),
  ({ policyTypes, ingress, egress }, path) => {
    once(policyTypes, [...path, 'policyTypes']);
    if (ingress.length > 0 && !policyTypes.includes('Ingress')) {
      throw new SchemaProblem('invalid', [...path, 'ingress'], "needs 'Ingress' in policyTypes");
    }
    if (egress.length > 0 && !policyTypes.includes('Egress')) {
      throw new SchemaProblem('invalid', [...path, 'egress'], "needs 'Egress' in policyTypes");
    }
  },
);

export const overlayTables: { readonly [K in OverlayKind]: TableSchema<OverlaySpecs[K]> } = {
  VPC: vpcTable,
  Subnet: subnetTable,
  Endpoint: endpointTable,
  OverlayService: serviceTable,
  OverlayPolicy: policyTable,
};

/** Maps inside of maps, for the page about them. */
export const overlayInnerTables: Readonly<Record<string, TableSchema<object>>> = {
  'VPC.egress': vpcEgressTable,
  'Endpoint.forward[]': forwardTable,
  'Endpoint.offer[]': offerTable,
  'OverlayService.ports[]': servicePortTable,
  'OverlayPolicy.ingress[]': ingressTable,
  'OverlayPolicy.egress[]': egressTable,
  'OverlayPolicy.ingress[].from[]': peerTable,
  'OverlayPolicy.ingress[].ports[]': policyPortTable,
};

/** Ranges that mean something of their own in every network. */
const special: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'this network'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/3', 'multicast, reserved and broadcast'],
  ['::/8', 'unspecified, loopback and IPv4'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
];

function checkUsable(given: string, path: Path): void {
  const found = special.find(([range]) => isIpv4Text(range) === isIpv4Text(given) && overlap(prefixOf(range), prefixOf(given)));
  if (found !== undefined) throw new SchemaProblem('invalid', path, `${given} overlaps ${found[0]} (${found[1]})`);
}

function apart(given: readonly string[], path: Path): void {
  for (const [index, one] of given.entries()) {
    const other = given.slice(0, index).find((before) => overlap(prefixOf(before), prefixOf(one)));
    if (other !== undefined) throw new SchemaProblem('invalid', [...path, index], `${one} overlaps ${other}`);
  }
}

function onePerFamily(given: readonly string[], path: Path): void {
  const families = given.map((one) => (isIpv4Text(one) ? 'IPv4' : 'IPv6'));
  const twice = families.findIndex((family, index) => families.indexOf(family) !== index);
  if (twice !== -1) throw new SchemaProblem('invalid', [...path, twice], `is a second one of ${families[twice] ?? ''}`);
}

function once(given: readonly string[], path: Path): void {
  const twice = given.findIndex((one, index) => given.indexOf(one) !== index);
  if (twice !== -1) throw new SchemaProblem('invalid', [...path, twice], `'${given[twice] ?? ''}' stands twice`);
}

function atMost(limit: number, given: readonly unknown[], path: Path): void {
  if (given.length > limit) throw new SchemaProblem('invalid', path, `has more than ${limit} items`);
}
