import type { TraceProtocol } from './trace-packet.ts';
import type { TraceVerdict } from './trace-record.ts';

/** `refused`: the pod is told by ICMP or a reset. `passed`: left to the host's own network. `unknown`: could not be followed. */
export type TraceOutcome = 'delivered' | 'dropped' | 'refused' | 'passed' | 'unknown';

export interface TraceStep {
  /** The pod's question for a MAC comes before its packet. */
  readonly of: 'question' | 'packet';
  readonly host: string;
  readonly hostId: number;
  readonly program: string;
  readonly verdict: TraceVerdict;
  /** Names of the counters that rose. */
  readonly counted: readonly string[];
  readonly isShared: boolean;
  /** In words: the frame as it came to the program, without outer headers. */
  readonly frame: string;
  /** Outer headers of what leaves the program; null when it leaves without, or not at all. */
  readonly sent: TraceOuter | null;
  /** In words: the frame as it leaves, when it is another. */
  readonly became: string | null;
  /** In words: what the host learnt of where the packet's ends are. */
  readonly learnt: readonly string[];
  /** Of this one run in the kernel. */
  readonly durationNs: number;
}

export interface TraceOuter {
  readonly source: string;
  readonly destination: string;
  readonly toHost: string;
  readonly timeToLive: number;
  readonly sourcePort: number;
  readonly options: readonly string[];
}

/** What came of a trace. */
export interface TraceReport {
  readonly vni: number;
  readonly source: string;
  readonly destination: string;
  readonly protocol: TraceProtocol;
  /** Null for ICMP. */
  readonly port: number | null;
  readonly outcome: TraceOutcome;
  /** Where it ended. */
  readonly host: string;
  /** Name of the counter that tells why it was not delivered, if one does. */
  readonly reason: string | null;
  readonly meaning: string;
  readonly remedy: string | null;
  readonly steps: readonly TraceStep[];
}
