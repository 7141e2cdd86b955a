import type { Row } from './row.ts';
import { messageDelivery } from './rows/d3-message-delivery.ts';
import { multicastMesh } from './rows/d5-multicast.ts';
import { conservation } from './rows/d6-conservation.ts';
import { stalledReceivers } from './rows/d7-stalled-receivers.ts';
import { halfClose } from './rows/d8-half-close.ts';
import { manyConnections } from './rows/l1-many-connections.ts';
import { connectionChurn } from './rows/l2-churn.ts';
import { fileDescriptors } from './rows/l3-file-descriptors.ts';
import { stateOnDisk } from './rows/l4-state-on-disk.ts';
import { badLine } from './rows/l5-bad-line.ts';
import { codecFuzz } from './rows/p1-codec-fuzz.ts';
import { amplificationLimits } from './rows/p2-amplification.ts';
import { controlPlaneFuzz } from './rows/p3-control-plane-fuzz.ts';
import { smuggling } from './rows/p4-smuggling.ts';
import { http2Rules } from './rows/p5-h2spec.ts';
import { http2Floods } from './rows/p6-http2-floods.ts';
import { slowHttpClients } from './rows/p7-slow-clients.ts';
import { webSocketConformance } from './rows/p8-websocket.ts';
import { certificateMatrix } from './rows/s1-certificates.ts';
import { tlsFloor } from './rows/s2-tls-floor.ts';
import { tokenRace } from './rows/s3-token-race.ts';
import { tokenTricks } from './rows/s4-token-tricks.ts';
import { spoofingSite } from './rows/s5-spoofing-site.ts';
import { revokedSite } from './rows/s6-revoked-site.ts';
import { hijack } from './rows/s7-hijack.ts';

/** Rows about delivery, load, hostile input and certificates, in the order of the scoreboard. */
export const limitRows: readonly Row[] = [
  messageDelivery,
  multicastMesh,
  conservation,
  stalledReceivers,
  halfClose,
  manyConnections,
  connectionChurn,
  fileDescriptors,
  stateOnDisk,
  badLine,
  codecFuzz,
  amplificationLimits,
  controlPlaneFuzz,
  smuggling,
  http2Rules,
  http2Floods,
  slowHttpClients,
  webSocketConformance,
  certificateMatrix,
  tlsFloor,
  tokenRace,
  tokenTricks,
  spoofingSite,
  revokedSite,
  hijack,
];
