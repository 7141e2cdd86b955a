import type { Row } from './row.ts';
import { closedLink } from './rows/r1-closed-link.ts';

/** All rows, in the order of the scoreboard. */
export const rows: readonly Row[] = [closedLink];
