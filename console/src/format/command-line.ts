/** One word of a command line, quoted when a shell would read it in another way. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command of `van` for the site of a namespace. */
export function inNamespace(command: string, namespace: string): string {
  return command.replace(/^van /, `van -n ${shellWord(namespace).replaceAll('$', '$$$$')} `);
}

/** A command that prints what a panel shows: words, and options of which empty ones are left out. */
export function commandLine(words: readonly string[], options: Readonly<Record<string, string | null | undefined>> = {}): string {
  const parts = words.map(shellWord);
  for (const [option, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === '') continue;
    parts.push(`${option.length === 1 ? '-' : '--'}${option}`, shellWord(value));
  }
  return parts.join(' ');
}
