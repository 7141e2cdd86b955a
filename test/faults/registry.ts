import type { Row } from './row.ts';
import { closedLink } from './rows/r1-closed-link.ts';
import { silentLink } from './rows/r2-silent-link.ts';
import { killLoop } from './rows/r4-kill-loop.ts';

/** All rows, in the order of the scoreboard. */
export const rows: readonly Row[] = [closedLink, silentLink, killLoop];
