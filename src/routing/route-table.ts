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
   * tree per origin asked for, and kept as long as the table.
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

/** What the control plane knows, for the data plane to read. Immutable; replaced whole by one assignment. */
export interface RouteTable {
  /** Grows by one with each table. */
  readonly epoch: number;
  readonly routerId: string;
  readonly routers: ReadonlyMap<string, RemoteRouter>;
  /** By hash key. */
  readonly addresses: ReadonlyMap<string, AddressRoute>;
  /** Neighbour router id by link number. */
  readonly neighbours: ReadonlyMap<number, string>;
  /** Hops to the most distant reachable router: a delivery with a longer trace than radius + 1 is in a loop. */
  readonly radius: number;
}
