/**
 * Three kinds of error:
 *
 * - weather (`WeatherError`): peers, networks, disks and users' input fail; typed, with a stable `code`;
 * - violation (`ProtocolViolation`): a peer broke its protocol; carries the condition to send; ends that machine;
 * - our bug (`assert`): an invariant of this program does not hold; ends the smallest owner.
 */

/** Something outside of this program failed. `code` is stable and documented; `remedy` says what to do or type next. */
export class WeatherError extends Error {
  override readonly name: string = 'WeatherError';
  readonly code: string;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** A user's input cannot be accepted: where it is, what is wrong and what to write instead. CLI exit code 2. */
export class InputError extends WeatherError {
  override readonly name: string = 'InputError';
  /** Where the input came from, e.g. `site.yaml:12: spec.port` or `--port`. */
  readonly where: string;

  constructor(code: string, where: string, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(code, `${where}: ${message}`, options);
    this.where = where;
  }
}

/** A peer broke the protocol. `condition` is the AMQP error condition (or the protocol's own) that answers it. */
export class ProtocolViolation extends Error {
  override readonly name: string = 'ProtocolViolation';
  readonly condition: string;

  constructor(condition: string, description: string) {
    super(description);
    this.condition = condition;
  }
}

/** Throws when an invariant of this program does not hold. Never for input from outside. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}
