import { InputError, WeatherError } from '../base/errors.ts';
import { printableText } from './printable.ts';

export const exitCodes = { done: 0, failed: 1, badInput: 2 } as const;

/** An error as it is shown, and the exit code that goes with it. */
export interface ErrorReport {
  readonly text: string;
  readonly exitCode: number;
}

/**
 * What is wrong, where, and what to type next. With `json` one line of JSON, for programs. The stack of an error that nobody
 * foresaw is shown only when `debug` is set.
 */
export function reportError(error: unknown, format: { readonly json: boolean; readonly debug: boolean }): ErrorReport {
  const exitCode = error instanceof InputError ? exitCodes.badInput : exitCodes.failed;
  const foreseen = error instanceof WeatherError;
  const message = error instanceof Error ? error.message : String(error);
  const code = foreseen ? error.code : 'internal-error';
  const remedy = foreseen ? error.remedy : 'this is a defect of van; run the command again with VAN_DEBUG=1 to see where it happened';
  if (format.json)
    return { text: `${JSON.stringify({ error: { code, message, ...(remedy === undefined ? {} : { remedy }) } })}\n`, exitCode };
  const lines = [`error: ${foreseen ? message : `unexpected: ${message}`}`];
  if (remedy !== undefined) lines.push(`  try: ${remedy}`);
  if (format.debug && error instanceof Error) lines.push(`  code: ${code}`, ...stacks(error));
  return { text: `${printableText(lines.join('\n'))}\n`, exitCode };
}

function stacks(error: Error): string[] {
  const own = error.stack ?? '';
  return error.cause instanceof Error ? [own, 'caused by', ...stacks(error.cause)] : [own];
}
