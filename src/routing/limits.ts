/** The protocol's clocks, in milliseconds. Defaults are those of a skupper-router; all routers of a network should agree. */
export interface RoutingTimers {
  /** HELLO period, and the period of the sweep that expires what has grown old. */
  readonly helloIntervalMs: number;
  /** A neighbour that has not confirmed within this time is lost. */
  readonly helloMaxAgeMs: number;
  /**
   * HELLO period on links to routers that announce theirs too, and the age after which such a neighbour is lost. Not offered if the
   * period is 0: then `helloIntervalMs` and `helloMaxAgeMs` hold for all, as they do for a skupper-router.
   */
  readonly quickHelloIntervalMs: number;
  readonly quickHelloMaxAgeMs: number;
  /** Period of router advertisements while the topology is stable. */
  readonly advertisementIntervalMs: number;
  /** Period of router advertisements during the two periods that follow a change of topology. */
  readonly advertisementFluxIntervalMs: number;
  /** Link state of a router expires this long after its last sign of life. */
  readonly linkStateMaxAgeMs: number;
  /** How long the addresses of an unreachable router are remembered, in case it was only a short break. */
  readonly unreachableHoldoffMs: number;
}

export const defaultTimers: RoutingTimers = {
  helloIntervalMs: 1_000,
  helloMaxAgeMs: 3_000,
  quickHelloIntervalMs: 250,
  quickHelloMaxAgeMs: 1_000,
  advertisementIntervalMs: 30_000,
  advertisementFluxIntervalMs: 4_000,
  linkStateMaxAgeMs: 60_000,
  unreachableHoldoffMs: 1_000,
};

/** Bounds on everything that other routers can make this one remember or send. */
export const limits = {
  /** Control links, and with them neighbours. As many as routers: the worst case is a star. */
  links: 1024,
  /** Other routers known. A skupper-router stops at 128; at 1024 a shortest-path tree still takes well under a millisecond. */
  routers: 1024,
  /** Routers that sign: who has none of the network's certificates cannot add one, and each costs a few kilobytes. */
  signedRouters: 16_384,
  /** Routers that do not sign, where this one does: as many as a network of skupper-routers can have. */
  unsignedRouters: 128,
  /** Characters of a router id: a Kubernetes name (253) fits, a message cannot make it a burden. */
  routerIdLength: 255,
  /** Neighbours in one link state; a router cannot have more neighbours than there are routers. */
  peersPerRouter: 1024,
  /** Link cost: what fits the AMQP int that carries it. */
  linkCost: 0x7fff_ffff,
  /**
   * Added to the costs of a router that wants no transit: more than any path costs in practice, and so little that a path over 127
   * such routers, the most that a skupper-router knows, still fits its 32 bits.
   */
  transitDiscouragement: 0xff_ffff,
  /** Addresses that one router may announce, this one included. At about 100 bytes each an absolute update stays near 1 MB. */
  addressesPerRouter: 10_000,
  /** Address and router pairs remembered in all: about 50 MB at the longest common address lengths. */
  addressesInAll: 200_000,
  /** Characters of an address with its class letter; as long as a DNS name or URL path needs to be. */
  addressLength: 1024,
  /** Values (entries, elements) and characters of the site data in one link state: names and versions, not documents. */
  siteDataValues: 256,
  siteDataCharacters: 8192,
  /** Other routers with this router's id that are reported: one is the usual misconfiguration, more is somebody's forgery. */
  duplicateInstances: 16,
  /** Events and messages waiting to be taken. The owner takes them after each call; one call makes at most about 4 per router. */
  queuedEvents: 4096,
  queuedMessages: 16_384,
  /** Routers that are told one by one when they come into reach or go out of it together; of more only the number is told. */
  reachabilityEvents: 64,
  /** Link-state and mobile-address requests repeated before waiting for the next advertisement (about 20 s). */
  requestAttempts: 8,
} as const;

/** Timers of links between routers that must leave a dead neighbour in a third of a second; they cost four times the HELLOs. */
export const fastDetectionTimers: Pick<RoutingTimers, 'quickHelloIntervalMs' | 'quickHelloMaxAgeMs'> = {
  quickHelloIntervalMs: 80,
  quickHelloMaxAgeMs: 300,
};

/** First repetition of an unanswered request: several times a wide-area round trip. Doubles up to the maximum. */
export const requestRetryMs = 250;
export const requestRetryMaximumMs = 4_000;

/** How long a differential update may lag behind the advertisement that mentions it before the whole set is requested. */
export const differentialGraceMs = 100;

/** The same answer is not given twice to the same router within this time, however often it asks. */
export const repeatedAnswerMs = 100;

/** An advertisement seen again within this time is a copy that took another path. Shorter than any advertisement period. */
export const duplicateWindowMs = 1_000;

/** Until this old, a router may still hear echoes of its previous life: its own id with another instance means nothing yet. */
export const echoOfPreviousLifeMs = 5_000;

/**
 * The first neighbours of a router that signs are told together when they come within this time: each record of a new origin costs every
 * router of the network a verification. Several round trips between sites; nobody relies on a router that has just started.
 */
export const firstLinkStateGatherMs = 100;
