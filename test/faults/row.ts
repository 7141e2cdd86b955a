import type { Lab } from './rig/lab.ts';

/** What a row gets to work with. */
export interface RowContext {
  /** Shortened, for runs on every change. */
  readonly fast: boolean;
  /** Whether peers that are installed are measured, too. */
  readonly peers: boolean;
  /** Aborted when the run is interrupted or the row's time is over. */
  readonly signal: AbortSignal;
  /** A network with these wires, and hosts without any. Dispose it (`await using`). */
  readonly lab: (wires: readonly (readonly [string, string])[], hosts?: readonly string[]) => Promise<Lab>;
  /** Says on standard error what goes on. */
  readonly note: (text: string) => void;
}

/** One figure that is held against a floor and a goal. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Limits; absent = none. */
  readonly floor?: number;
  readonly goal?: number;
  /** `lower` (the default): a value up to the limit meets it. */
  readonly better?: 'lower' | 'higher';
  /** False: this run was too short to tell. The value is only printed, and meets or misses nothing. */
  readonly judged?: boolean;
}

/** Figures of a peer under the same faults and load, by name. */
export type PeerFigures = Readonly<Record<string, number | string>>;

/** What a row measured. The first figure is the row's value; all must hold. */
export interface Measured {
  readonly figures: readonly [Figure, ...Figure[]];
  readonly peers?: Readonly<Record<string, PeerFigures>>;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** One row of the scoreboard. */
export interface Row {
  /** As in the scoreboard: R1, D2 ... */
  readonly id: string;
  readonly title: string;
  /** Limits in words. */
  readonly floor: string;
  readonly goal: string;
  /** Whether `--fast` runs it; it must end within a minute then. */
  readonly fast: boolean;
  /** It is stopped after this time: full, and with `--fast`. */
  readonly limitSeconds: { readonly full: number; readonly fast: number };
  /** Why it cannot run here, with what to install; undefined = it can. */
  readonly missing: () => string | undefined;
  /** In words, where a shortened run does less than the title says. */
  readonly shortened?: string;
  readonly run: (context: RowContext) => Promise<Measured>;
}

/** One JSON line of output. */
export interface RowResult {
  readonly row: string;
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  readonly floor: number | string;
  readonly goal: number | string;
  readonly met: { readonly floor: boolean; readonly goal: boolean };
  /** Limits that were missed, in words. */
  readonly missed?: readonly string[];
  readonly figures: readonly Figure[];
  readonly peer?: Readonly<Record<string, PeerFigures>>;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly fast: boolean;
  /** What a shortened run did less. */
  readonly shortened?: string;
  readonly seconds: number;
  /** When it was measured, where, and of which state of the project. */
  readonly at: string;
  readonly machine: string;
  readonly commit: string;
}

function holds(figure: Figure, limit: number | undefined): boolean {
  if (limit === undefined || figure.judged === false) return true;
  return figure.better === 'higher' ? figure.value >= limit : figure.value <= limit;
}

/** Holds what was measured against its limits. The value is that of the first figure that this run could judge. */
export function judge(measured: Measured): Pick<RowResult, 'value' | 'unit' | 'met' | 'missed'> {
  const { figures } = measured;
  const first = figures.find(({ judged }) => judged !== false) ?? figures[0];
  const missed: string[] = [];
  for (const figure of figures)
    for (const kind of ['floor', 'goal'] as const)
      if (!holds(figure, figure[kind])) missed.push(`${kind}: ${figure.name} ${figure.value} ${figure.unit}, limit ${figure[kind]}`);
  return {
    value: first.value,
    unit: first.unit,
    met: {
      floor: figures.every((figure) => holds(figure, figure.floor)),
      // What misses a floor misses the goal, which is no looser.
      goal: figures.every((figure) => holds(figure, figure.floor) && holds(figure, figure.goal)),
    },
    ...(missed.length === 0 ? {} : { missed }),
  };
}
