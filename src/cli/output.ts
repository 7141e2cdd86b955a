import type { Call } from './call.ts';

/** Prints `data` as JSON or YAML when that was asked for, otherwise the text for people. */
export async function printResult(call: Call, data: unknown, text: () => string): Promise<void> {
  // A wide table is a table: those commands that have one choose its columns themselves.
  const format = call.text('output') === 'wide' ? 'table' : call.output;
  if (format === 'json') call.shell.writeOut(`${JSON.stringify(data, undefined, 2)}\n`);
  else if (format === 'yaml') call.shell.writeOut((await import('yaml')).stringify(data, { lineWidth: 0 }));
  else call.shell.writeOut(text());
}

/** Says what was done, or prints what came of it as JSON or YAML. */
export async function printDone(call: Call, sentences: string, data: unknown): Promise<void> {
  await printResult(call, data, () => `${sentences}\n`);
}
