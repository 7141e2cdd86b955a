/** How an address chooses among its consumers; numbers as on the wire (mobile address update). */
export const Treatment = { multicastFlood: 0, multicastOnce: 1, closest: 2, balanced: 3, unavailable: 4 } as const;
export type Treatment = (typeof Treatment)[keyof typeof Treatment];

/** A set of router ids that is only ever asked for members. */
export interface OriginSet {
  has(routerId: string): boolean;
}

/** A reachable router, as the paths stand. */
export interface RemoteRouter {
  readonly routerId: string;
  /** Sum of the link costs of the shortest path. */
  readonly cost: number;
  /** Links in that path. */
  readonly hops: number;
  /** The link (number given to `linkUp`) of the first hop. */
  readonly link: number;
  /** Router id of the first hop. */
  readonly nextHop: string;
  /**
   * Origins whose shortest-path tree goes through this router to that one; includes this router's own id. Computed on demand, one
   * tree per origin asked for, and kept until the graph changes.
   */
  readonly validOrigins: OriginSet;
}

/** Where the consumers of one address are, other than here. */
export interface AddressRoute {
  /** Hash class letter + address, e.g. `Mbackend`. */
  readonly key: string;
  readonly treatment: Treatment;
  /** Routers with consumers, nearest first (then by id). Never empty. */
  readonly routers: readonly RemoteRouter[];
}

/** Looked up by key, and made when asked for; a `Map` is one too. `size`, `keys` and `values` go through all there is. */
export interface Lookup<Value> {
  get(key: string): Value | undefined;
  has(key: string): boolean;
  readonly size: number;
  keys(): Iterable<string>;
  values(): Iterable<Value>;
}

/** The reachable routers by id. */
export type RouterRoutes = Lookup<RemoteRouter>;

/** The addresses with a reachable consumer by hash key. */
export type AddressRoutes = Lookup<AddressRoute>;

/**
 * What the control plane knows, for the data plane to read: replaced whole by one assignment when anything changes. Paths never
 * change within a table. Addresses and the answers about others' paths are worked out when first asked for, so ask the
 * latest table only: one that has been replaced may answer from what is known now.
 */
export interface RouteTable {
  /** Grows by one with each table. */
  readonly epoch: number;
  readonly routerId: string;
  readonly routers: RouterRoutes;
  readonly addresses: AddressRoutes;
  /** Neighbour router id by link number. */
  readonly neighbours: ReadonlyMap<number, string>;
  /** Links that are the first hop to some router. */
  readonly firstLinks: readonly number[];
  /** Hops to the most distant reachable router: a delivery with a longer trace than radius + 1 is in a loop. */
  readonly radius: number;
  /** Whether a router may send to a service address (without class letter), as far as its credential says. */
  mayConsume(routerId: string, address: string): boolean;
  /** Whether it is known what a router may do. Who is not known may do nothing, but perhaps in a moment. */
  knowsRightsOf(routerId: string): boolean;
  /**
   * Whether what a router has sent can have come from this neighbour: there is a way from that router to the neighbour that does not pass
   * this router. Also for a router of which nothing is known: whether it may send anything is for `mayConsume` to say.
   */
  isFeasibleIngress(neighbourId: string, routerId: string): boolean;
}
