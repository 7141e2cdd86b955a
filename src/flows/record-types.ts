/**
 * Numbers of record types and attributes on the wire. Those below 1000 are skupper-router's (VanFlow), the others Caravan's own: records of
 * its own types go to an address of their own, because Skupper's collector drops a whole message for one record of a type that it does not
 * know; attributes of its own may stand in any record, because collectors skip those that they do not know.
 */
export const RecordType = {
  site: 0,
  router: 1,
  link: 2,
  controller: 3,
  listener: 4,
  connector: 5,
  flow: 6,
  process: 7,
  image: 8,
  ingress: 9,
  egress: 10,
  collector: 11,
  processGroup: 12,
  host: 13,
  log: 14,
  routerAccess: 15,
  /** One connection of a client. */
  transportFlow: 16,
  /** One request. */
  applicationFlow: 17,
  /** Sums of what went from one listener to one server, with the distribution of latencies. */
  traffic: 1000,
  /** How many records of single requests and connections a router did not make, because there were too many. */
  loss: 1001,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Times are microseconds since the epoch, durations microseconds. */
export const Attribute = {
  recordType: 0,
  identity: 1,
  parent: 2,
  startTime: 3,
  endTime: 4,
  counterflow: 5,
  peer: 6,
  process: 7,
  siblingOrdinal: 8,
  location: 9,
  provider: 10,
  platform: 11,
  namespace: 12,
  mode: 13,
  sourceHost: 14,
  destHost: 15,
  protocol: 16,
  sourcePort: 17,
  destPort: 18,
  vanAddress: 19,
  imageName: 20,
  imageVersion: 21,
  hostname: 22,
  octets: 23,
  latency: 24,
  transitLatency: 25,
  backlog: 26,
  method: 27,
  result: 28,
  reason: 29,
  name: 30,
  trace: 31,
  buildVersion: 32,
  linkCost: 33,
  direction: 34,
  octetRate: 35,
  octetsOut: 36,
  octetsUnacked: 37,
  windowClosures: 38,
  windowSize: 39,
  flowCountL4: 40,
  flowCountL7: 41,
  flowRateL4: 42,
  flowRateL7: 43,
  duration: 44,
  image: 45,
  group: 46,
  streamId: 47,
  logSeverity: 48,
  logText: 49,
  sourceFile: 50,
  sourceLine: 51,
  linkCount: 52,
  operStatus: 53,
  role: 54,
  upTimestamp: 55,
  downTimestamp: 56,
  downCount: 57,
  octetsReverse: 58,
  octetRateReverse: 59,
  connector: 60,
  processLatency: 61,
  proxyHost: 62,
  proxyPort: 63,
  errorListenerSide: 64,
  errorConnectorSide: 65,
  activeTlsOrdinal: 66,
  httpProxy: 67,

  // Links.
  /** Smoothed time of a round trip to the neighbour. */
  roundTripMicroseconds: 1000,
  /** Probes of the neighbour that were not answered in time, in millionths of those of the last minute. */
  lossMillionths: 1001,
  /** Id of the router at the other end. */
  peerRouter: 1002,

  // Requests and connections. The listener's side:
  /** Path of the request, without its query. */
  path: 1010,
  authority: 1011,
  requestId: 1012,
  /** W3C trace context, if the client sent one. */
  traceparent: 1013,
  /** From the head of the request to the choice of a server (of the last try). */
  choiceMicroseconds: 1014,
  /** From the head of the request to the head of its answer. */
  firstByteMicroseconds: 1015,
  /** Tries, the first included. */
  tries: 1016,
  /** Status of gRPC, as a number. */
  grpcStatus: 1017,
  /** Code of the error that the network itself answered with. */
  networkError: 1018,
  userAgent: 1019,
  // The connector's side:
  /** Router where the server is, and its site. */
  destRouter: 1030,
  destServer: 1031,
  /** From the arrival of the request at the server's router until a connection to the server was there. */
  connectMicroseconds: 1032,
  /** From the arrival of the request at the server's router until the head of the answer (or its first octet). */
  serverFirstByteMicroseconds: 1033,
  /** From the arrival of the request at the server's router until the end of the answer. */
  serverTotalMicroseconds: 1034,

  // Sums of traffic. All but `open` only grow.
  /** Requests that have ended, or connections and flows that were opened. */
  count: 1050,
  successCount: 1051,
  failureCount: 1052,
  retryCount: 1053,
  /** Connections, flows or requests under way. */
  open: 1054,
  /** Counts by status: `200=17 404=2`. */
  statusCounts: 1055,
  /** With the status: `GET-200=17 GET-404=2`. */
  methodCounts: 1056,
  /** Counts by bucket of `LatencyHistogram`: `12=4 13=90`, times to the first byte. */
  latencyCounts: 1057,
  latencySumMicroseconds: 1058,
  distribution: 1059,

  // What is lost, and of routers.
  droppedFlows: 1070,
  certificateEnds: 1080,
  membershipEnds: 1081,
} as const;
export type Attribute = (typeof Attribute)[keyof typeof Attribute];
