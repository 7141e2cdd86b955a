import { commandGroups } from './command-table.ts';
import type { Command, Option } from './command.ts';
import { commonOptions } from './parse-arguments.ts';

/** All commands, those whose verb begins with `subject` when one is given. */
export function formatOverview(subject?: string): string {
  const groups = Object.entries(commandGroups)
    .map(([title, group]) => {
      const verbs = Object.entries(group).filter(([verb]) => subject === undefined || verb.split(' ')[0] === subject);
      return { title, verbs };
    })
    .filter(({ verbs }) => verbs.length > 0);
  const width = Math.max(...groups.flatMap(({ verbs }) => verbs.map(([verb]) => verb.length)));
  const lists = groups.map(
    ({ title, verbs }) => `${title}:\n${verbs.map(([verb, { summary }]) => `  ${verb.padEnd(width)}  ${summary}\n`).join('')}`,
  );
  const introduction =
    subject === undefined
      ? 'van joins sites into one network in which services find each other by name.\n\nUsage: van COMMAND [OPTIONS]\n\n'
      : `Usage: van ${subject} COMMAND [OPTIONS]\n\n`;
  const options = `Common options:\n${formatOptions(commonOptions)}`;
  const start = `To begin:
  van site create west --enable-link-access   # on a host that others can reach
  van token issue token.yaml                  # carry the file to another host
  van site create east                        # there
  van token redeem token.yaml

"van COMMAND --help" shows what a command does, with examples.
`;
  return `${introduction}${lists.join('\n')}\n${options}${subject === undefined ? `\n${start}` : ''}`;
}

/** Everything about one command. */
export function formatCommandHelp(verb: string, summary: string, command: Command): string {
  const parameters = command.parameters.map(({ name, optional }) => (optional === true ? `[${name}]` : name));
  const width = Math.max(0, ...command.parameters.map(({ name }) => name.length));
  const sections = [
    `${summary}.\n`,
    command.description === '' ? '' : `${command.description}\n`,
    `Usage: van ${[verb, ...parameters, '[OPTIONS]'].join(' ')}\n`,
    command.parameters.map(({ name, meaning }) => `  ${name.padEnd(width)}  ${meaning}\n`).join(''),
    Object.keys(command.options).length === 0 ? '' : `Options:\n${formatOptions(command.options)}`,
    `Common options:\n${formatOptions(without(commonOptions, command.options))}`,
    `Examples:\n${command.examples.map(({ line, meaning }) => `  # ${meaning}\n  ${line}\n`).join('')}`,
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function without(options: Readonly<Record<string, Option>>, own: Readonly<Record<string, Option>>): Readonly<Record<string, Option>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(own, name)));
}

function formatOptions(options: Readonly<Record<string, Option>>): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    return { left: `${short}--${name}${option.value === undefined ? '' : ` ${option.value}`}`, option };
  });
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows
    .map(({ left, option }) => {
      const preset = option.default === undefined ? '' : ` (default: ${option.default})`;
      return `  ${left.padEnd(width)}  ${option.meaning}${preset}\n`;
    })
    .join('');
}
