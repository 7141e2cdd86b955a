import { limitRows } from './limit-rows.ts';
import type { Row } from './row.ts';
import { closedLink } from './rows/r1-closed-link.ts';
import { silentLink } from './rows/r2-silent-link.ts';
import { killLoop } from './rows/r4-kill-loop.ts';
import { partitionAndHeal } from './rows/r5-partition.ts';
import { clonedIdentity } from './rows/r7-cloned-identity.ts';
import { clockJumps } from './rows/r8-clock-jumps.ts';
import { flappingLink } from './rows/r9-flapping-link.ts';
import { rollingRestart } from './rows/d1-rolling-restart.ts';
import { certificateRotation } from './rows/d2-certificate-rotation.ts';

/** All rows, in the order of the scoreboard. */
export const rows: readonly Row[] = [
  closedLink,
  silentLink,
  killLoop,
  partitionAndHeal,
  clonedIdentity,
  clockJumps,
  flappingLink,
  rollingRestart,
  certificateRotation,
  ...limitRows,
];
