import type { Attack } from '../attack.ts';
import { advertiseAnything, digestLies, helloAsAnother, invalidStatements, malformedRecords } from './claims.ts';
import { hugeSequence, inventedRouters, otherInstance, sinkholeUnsigned, unsignedSpoof } from './legacy.ts';
import { beyondConsume, loops, management } from './messages.ts';
import {
  alteredRecord,
  credentialSwap,
  garbageSignature,
  inventedPeers,
  ownExtremes,
  ownKey,
  ownSignature,
  replay,
  selfMadeCredentials,
  sinkhole,
  slotFlood,
  updateStorm,
} from './records.ts';

import { flowRecords } from './telemetry.ts';

/** Every attack, those of the threat model (K1 ...) first. */
export const attacks: readonly Attack[] = [
  advertiseAnything,
  unsignedSpoof,
  ownSignature,
  ownKey,
  garbageSignature,
  alteredRecord,
  replay,
  otherInstance,
  hugeSequence,
  ownExtremes,
  inventedRouters,
  inventedPeers,
  selfMadeCredentials,
  management,
  helloAsAnother,
  sinkhole,
  sinkholeUnsigned,
  credentialSwap,
  digestLies,
  updateStorm,
  slotFlood,
  invalidStatements,
  malformedRecords,
  beyondConsume,
  loops,
  flowRecords,
];
