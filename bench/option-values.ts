/** What options of benchmarks have as values. Each throws TypeError with one line for the user. */

export function positiveInteger(name: string, text: string, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > maximum)
    throw new TypeError(`--${name}: ${text} is not a number from 1 to ${maximum}`);
  return value;
}

/** The names in a list with commas, each of which must be `known`; `what` says of what kind they are. */
export function names(option: string, what: string, text: string, known: readonly string[], fits: (name: string) => boolean): string[] {
  const chosen = text.split(',').filter((name) => name !== '');
  for (const name of chosen)
    if (!fits(name)) throw new TypeError(`--${option}: no ${what} is called ${name}; there are ${known.join(', ')}`);
  return chosen;
}

/** Whether `pattern` names this load or its family. */
export function matches(load: string, pattern: string): boolean {
  return load === pattern || load.startsWith(`${pattern}-`);
}
