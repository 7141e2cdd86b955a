import type { Call } from './call.ts';

/** What a command of `van` is made of. Each has a file of its own, which is loaded only when it is called. */
export interface Command {
  /** Arguments in their order. Optional ones come last. */
  readonly parameters: readonly Parameter[];
  /** By long name; the common options are added by the parser. */
  readonly options: Readonly<Record<string, Option>>;
  /** What it does beyond its summary, in whole sentences; empty where the summary says it all. */
  readonly description: string;
  readonly examples: readonly Example[];
  /** Does it, and gives the exit code: 0 unless something that was asked for is not there. */
  run(call: Call): Promise<number>;
}

export interface Parameter {
  /** In capitals, as help shows it. */
  readonly name: string;
  readonly meaning: string;
  readonly optional?: boolean;
}

export interface Option {
  readonly meaning: string;
  readonly short?: string;
  /** What to write behind the option, such as PORT; absent for a flag. */
  readonly value?: string;
  readonly default?: string;
  /** May be given several times. */
  readonly repeatable?: boolean;
}

export interface Example {
  readonly line: string;
  readonly meaning: string;
}

/** The world around a command: its streams and environment. */
export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Results. */
  writeOut(text: string | Uint8Array): void;
  /** Whoever read the results has gone: there is no use in more of them. */
  readonly isReaderGone: boolean;
  /** Progress, warnings and errors. */
  writeError(text: string): void;
  /** Everything on standard input. Throws InputError when it is longer than `limitBytes`. */
  readInput(limitBytes: number): Promise<string>;
}
