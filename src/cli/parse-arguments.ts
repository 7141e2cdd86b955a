import { parseArgs } from 'node:util';
import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { Call, type OptionValue } from './call.ts';
import type { Command, Option, Shell } from './command.ts';

/** Options of every command. */
export const commonOptions: Readonly<Record<string, Option>> = {
  namespace: {
    short: 'n',
    value: 'NAME',
    meaning: 'the site to talk to: each namespace has one (default: $VAN_NAMESPACE, else "default")',
  },
  output: { short: 'o', value: 'FORMAT', meaning: 'table, json or yaml', default: 'table' },
  wait: { value: 'LEVEL', meaning: 'how far to wait: none, configured or ready' },
  timeout: { value: 'DURATION', meaning: 'how long to wait, such as 60s or 2m', default: '60s' },
  help: { short: 'h', meaning: 'shows what the command does' },
};

/** Words of a command line: the verb, and everything else in its order. */
export interface SplitLine {
  /** As in the table of commands; undefined when the words are none of its verbs. */
  readonly verb: string | undefined;
  /** The words that should have been a verb: the first two that are no options. */
  readonly words: readonly string[];
  readonly rest: readonly string[];
}

/** Finds the verb, of one or two words, behind common options or in front of them. */
export function splitLine(args: readonly string[], verbs: ReadonlySet<string>): SplitLine {
  const places: number[] = [];
  for (let index = 0; index < args.length && places.length < 2; index++) {
    const argument = args[index] ?? '';
    if (argument === '--') break;
    if (!argument.startsWith('-') || argument === '-') places.push(index);
    else if (takesValue(argument)) index++;
  }
  const words = places.map((place) => args[place] ?? '');
  for (const count of [2, 1]) {
    const verb = words.slice(0, count).join(' ');
    if (words.length < count || !verbs.has(verb)) continue;
    const used = places.slice(0, count);
    return { verb, words, rest: args.filter((_, index) => !used.includes(index)) };
  }
  return { verb: undefined, words, rest: args };
}

/** Whether the next word is the value of this common option. */
function takesValue(argument: string): boolean {
  const known = Object.entries(commonOptions).find(([name, { short }]) => argument === `--${name}` || argument === `-${short ?? '-'}`);
  return known?.[1].value !== undefined;
}

/** Reads the words behind a verb. Throws InputError that names the option or parameter and what could have been meant. */
export function readCall(shell: Shell, verb: string, command: Command, args: readonly string[]): Call {
  const options = { ...commonOptions, ...command.options };
  const remedy = `see van ${verb} --help`;
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { short, value }]) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short === undefined ? {} : { short }) },
      ]),
    ),
  });
  const values = new Map<string, OptionValue>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(token.rawName, options, verb);
    const before = values.get(token.name);
    if (before !== undefined && option.repeatable !== true) throw new InputError('bad-option', token.rawName, 'is given twice', { remedy });
    if (option.value === undefined) {
      if (token.value !== undefined) throw new InputError('bad-option', token.rawName, 'takes no value', { remedy });
      values.set(token.name, true);
      continue;
    }
    // "--port --host x" forgot the port; a value that begins with a dash can be written --name=-value.
    const forgotten = token.value === undefined || (!token.inlineValue && token.value.startsWith('-') && token.value !== '-');
    if (forgotten) throw new InputError('bad-option', token.rawName, `needs a value: ${token.rawName} ${option.value}`, { remedy });
    values.set(
      token.name,
      option.repeatable === true ? [...(Array.isArray(before) ? before : []), token.value ?? ''] : (token.value ?? ''),
    );
  }
  for (const [name, option] of Object.entries(options)) {
    if (option.default !== undefined && !values.has(name)) values.set(name, option.default);
  }
  const call = new Call(shell, verb, values, readParameters(verb, command, words));
  call.check(command.options);
  return call;
}

function readParameters(verb: string, command: Command, words: readonly string[]): ReadonlyMap<string, string> {
  const usage = ['van', verb, ...command.parameters.map(({ name, optional }) => (optional === true ? `[${name}]` : name))].join(' ');
  const missing = command.parameters.find(({ optional }, index) => optional !== true && words[index] === undefined);
  if (missing !== undefined) {
    throw new InputError('missing-parameter', missing.name, `is missing: ${missing.meaning}`, { remedy: `type ${usage}` });
  }
  const extra = words[command.parameters.length];
  if (extra !== undefined) throw new InputError('bad-parameter', `'${extra}'`, `is one word too many`, { remedy: `type ${usage}` });
  const empty = words.findIndex((word) => word === '');
  if (empty !== -1) throw new InputError('bad-parameter', command.parameters[empty]?.name ?? '', 'is empty', { remedy: `type ${usage}` });
  return new Map(words.map((word, index) => [command.parameters[index]?.name ?? '', word]));
}

function unknownOption(rawName: string, options: Readonly<Record<string, Option>>, verb: string): InputError {
  const near = rawName.startsWith('--') ? nearestName(rawName.slice(2), Object.keys(options)) : undefined;
  const remedy = near === undefined ? `see van ${verb} --help` : `did you mean --${near}? (see van ${verb} --help)`;
  return new InputError('unknown-option', rawName, `is no option of van ${verb}`, { remedy });
}
