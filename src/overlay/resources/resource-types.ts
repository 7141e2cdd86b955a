/** The resources of tenants' networks, `caravan.dev/v1alpha1`, as users write them. Addresses are texts in their one form. */

export interface OverlayMetadata {
  readonly name: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How endpoints reach what no VPC has. */
export interface VpcEgress {
  /** `nat`: with the address of a host as their source. */
  readonly mode: 'nat';
  /** Names of the hosts that it goes by; all of them when empty. */
  readonly hosts: readonly string[];
}

/** A network of its own: its addresses mean nothing in any other. */
export interface VpcSpec {
  /** What tells its packets from those of others. One is chosen when absent. */
  readonly vni?: number;
  /** What its subnets may have. */
  readonly prefixes: readonly string[];
  /** VPCs whose addresses are reached too. Each names the other. */
  readonly peers: readonly string[];
  /** There is no way out when absent. */
  readonly egress?: VpcEgress;
  /** What becomes of names that are not the VPC's own: asked of the host's resolvers, or there are none; off: nobody answers. */
  readonly dns: 'forward' | 'local' | 'off';
}

export interface SubnetSpec {
  readonly vpc: string;
  /** At most one of IPv4 and one of IPv6. */
  readonly prefixes: readonly string[];
  /** One for each prefix at most; its first address when absent. */
  readonly gateways: readonly string[];
  /** Ranges, one in each prefix at most, that are left to addresses which users choose. */
  readonly fixed: readonly string[];
  /** In octets; what the underlay has room for when absent. */
  readonly mtu?: number;
}

export interface EndpointSpec {
  readonly subnet: string;
  /** At most one of IPv4 and one of IPv6; free ones are taken when absent. */
  readonly addresses: readonly string[];
  readonly mac?: string;
  /** Name of the host that it is at. */
  readonly host?: string;
  /** Path of the network namespace on that host. */
  readonly netns?: string;
  readonly ifname: string;
  /** Ports of its addresses behind which there is a program on the host. */
  readonly forward: readonly EndpointForward[];
  /** Ports of the host behind which there is a program in the VPC. */
  readonly offer: readonly EndpointOffer[];
}

/** A port of an endpoint that the daemon serves. */
export interface EndpointForward {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Where the program on the host listens, such as `127.0.0.1:15432`. */
  readonly to: string;
}

/** A port of the host that the daemon serves; connections go into the VPC from the endpoint's address. */
export interface EndpointOffer {
  readonly protocol: 'tcp' | 'udp';
  /** On the host, such as `127.0.0.1:18080`. */
  readonly listen: string;
  /** In the VPC. */
  readonly to: string;
}

export type Labels = Readonly<Record<string, string>>;

export interface ServicePort {
  readonly name?: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** The same when absent. */
  readonly targetPort?: number;
}

/** An address that stands for many endpoints. */
export interface OverlayServiceSpec {
  readonly vpc: string;
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Endpoints of the VPC that have all of these labels. */
  readonly selector: Labels;
  readonly affinity: 'none' | 'client';
}

export interface PolicyPeer {
  readonly selector?: Labels;
  readonly prefix?: string;
  readonly except: readonly string[];
}

export interface PolicyPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port?: number;
  /** The last one of a range. */
  readonly endPort?: number;
}

export interface IngressRule {
  /** Everybody when empty. */
  readonly from: readonly PolicyPeer[];
  /** Everything when empty. */
  readonly ports: readonly PolicyPort[];
}

export interface EgressRule {
  readonly to: readonly PolicyPeer[];
  readonly ports: readonly PolicyPort[];
}

/** What endpoints may receive and send: nothing but what a policy allows, in the directions in which one selects them. */
export interface OverlayPolicySpec {
  readonly vpc: string;
  /** All endpoints of the VPC when empty. */
  readonly selector: Labels;
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress: readonly IngressRule[];
  readonly egress: readonly EgressRule[];
}

export interface OverlaySpecs {
  readonly VPC: VpcSpec;
  readonly Subnet: SubnetSpec;
  readonly Endpoint: EndpointSpec;
  readonly OverlayService: OverlayServiceSpec;
  readonly OverlayPolicy: OverlayPolicySpec;
}

export type OverlayKind = keyof OverlaySpecs;

export interface OverlayResourceOf<K extends OverlayKind> {
  readonly kind: K;
  readonly metadata: OverlayMetadata;
  readonly spec: OverlaySpecs[K];
}

export type OverlayResource = { [K in OverlayKind]: OverlayResourceOf<K> }[OverlayKind];
