import { assert } from '../base/errors.ts';
import type { Option, Shell } from './command.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';

export const outputFormats = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** How far a command waits: until nothing, until the router has what was asked for, or until it can be used. */
export const waitLevels = ['none', 'configured', 'ready'] as const;
export type WaitLevel = (typeof waitLevels)[number];

/** Waiting for a link over a slow network takes seconds; a person gives up after about a minute. */
export const defaultTimeout = '60s';

/** A flag that was given, the value of an option, or those of one that may be given several times. */
export type OptionValue = true | string | readonly string[];

/** A command with what was typed behind it. */
export class Call {
  readonly shell: Shell;
  readonly verb: string;
  readonly #values: ReadonlyMap<string, OptionValue>;
  readonly #parameters: ReadonlyMap<string, string>;

  constructor(shell: Shell, verb: string, values: ReadonlyMap<string, OptionValue>, parameters: ReadonlyMap<string, string>) {
    this.shell = shell;
    this.verb = verb;
    this.#values = values;
    this.#parameters = parameters;
  }

  /** The value of an option, its default included; undefined when it was not given and has none. */
  text(option: string): string | undefined {
    const value = this.#values.get(option);
    assert(value === undefined || typeof value === 'string', `--${option} has one value`);
    return value;
  }

  /** The values of an option that may be given several times, in their order. */
  texts(option: string): readonly string[] {
    const value = this.#values.get(option);
    assert(value === undefined || Array.isArray(value), `--${option} has values`);
    return value ?? [];
  }

  flag(option: string): boolean {
    return this.#values.get(option) === true;
  }

  /** A parameter; undefined when it is optional and was left out. */
  optionalParameter(name: string): string | undefined {
    return this.#parameters.get(name);
  }

  parameter(name: string): string {
    const value = this.#parameters.get(name);
    assert(value !== undefined, `${name} is required`);
    return value;
  }

  get namespace(): string {
    return this.text('namespace') ?? (this.shell.environment['VAN_NAMESPACE'] || 'default');
  }

  /** Options to repeat in a command that is suggested, with a blank in front; empty for the default namespace. */
  get namespaceOption(): string {
    return this.namespace === 'default' ? '' : ` -n ${this.namespace}`;
  }

  /** Makes sure of the common options before anything is done, except for those that the command has in a way of its `own`. Throws InputError. */
  check(own: Readonly<Record<string, Option>> = {}): void {
    if (!Object.hasOwn(own, 'output')) void this.output;
    if (!Object.hasOwn(own, 'wait')) void this.waitLevel('none');
    void this.timeoutMs;
  }

  get output(): OutputFormat {
    return parseChoice(this.text('output') ?? 'table', '--output', outputFormats);
  }

  /** What `--wait` says, or what the command does without it. */
  waitLevel(unsaid: WaitLevel): WaitLevel {
    return parseChoice(this.text('wait') ?? unsaid, '--wait', waitLevels);
  }

  get timeoutMs(): number {
    return parseDurationMs(this.text('timeout') ?? defaultTimeout, '--timeout');
  }
}
