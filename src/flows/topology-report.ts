/** What routing knows of the network: the parts of the site's answer to NETWORK that a model needs. */
export interface TopologyReport {
  readonly networkId: string | null;
  /** Id of the router that answers. */
  readonly routerId: string;
  readonly sites: readonly TopologySite[];
  readonly links: readonly TopologyLink[];
  readonly services: readonly TopologyService[];
  readonly warnings: readonly { readonly warning: TopologyWarning }[];
}

export interface TopologyPlace {
  readonly routerId: string;
  readonly name: string;
}

export interface TopologySite extends TopologyPlace {
  readonly namespace: string | null;
  readonly platform: string | null;
  readonly version: string | null;
  readonly location: string | null;
  readonly relation: 'self' | 'direct' | 'indirect';
  readonly nextHop: TopologyPlace | null;
  readonly cost: number;
  readonly trust: string;
  readonly advertise: readonly string[] | null;
  readonly consume: readonly string[] | null;
}

export interface TopologyLink {
  readonly from: TopologyPlace;
  readonly to: TopologyPlace;
  readonly cost: number;
  /** Who dialled, seen from the site that answers; null for links of others. */
  readonly direction: 'in' | 'out' | null;
  /** Name of the Link or access, for links of the site that answers. */
  readonly owner: string | null;
}

export interface TopologyService {
  readonly routingKey: string;
  readonly distribution: string;
  readonly types: readonly string[];
  readonly connectors: readonly TopologyPlace[];
  readonly listeners: readonly TopologyPlace[];
}

export interface TopologyWarning {
  readonly code: string;
  readonly severity: string;
  readonly title: string;
  readonly text: string;
  readonly remedy: string;
}
