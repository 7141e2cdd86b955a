import { commands } from './command-table.ts';
import type { Command, Option } from './command.ts';
import { waitLevels } from './call.ts';
import { commonOptions, splitLine } from './parse-arguments.ts';

/** One word that could stand where the cursor is. */
export interface Candidate {
  readonly word: string;
  /** What it means; empty where the word says it. */
  readonly meaning: string;
}

/** `files`: names of files, which the shell knows better. */
export type Completion = { readonly candidates: readonly Candidate[] } | 'files';

/** Names of what there is, asked from a running site. Empty where nobody answers. */
export interface NameSource {
  namespaces(): Promise<readonly string[]>;
  sites(): Promise<readonly string[]>;
  services(): Promise<readonly string[]>;
  /** Names of the site's resources of a kind. */
  resources(kind: 'Link' | 'Listener' | 'Connector'): Promise<readonly string[]>;
}

const formats = ['table', 'wide', 'short', 'text', 'raw', 'json', 'yaml'];
const resourceKinds = { link: 'Link', listener: 'Listener', connector: 'Connector' } as const;

/**
 * What could stand in the last of `words`, the words behind `van` up to the cursor; the last is empty behind a blank. `namesOf` gives the names that the
 * site of a namespace knows.
 */
export async function complete(words: readonly string[], namesOf: (namespace: string | undefined) => NameSource): Promise<Completion> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { verb, rest, words: verbWords } = splitLine(before, new Set(commands.keys()));
  const isLongerPossible = verb !== undefined && !verb.includes(' ') && [...commands.keys()].some((other) => other.startsWith(`${verb} `));
  const entry = verb === undefined ? undefined : commands.get(verb);
  const command = entry === undefined ? undefined : (await entry.load()).command;
  const names = namesOf(namespaceIn(before));
  const options: Readonly<Record<string, Option>> = { ...commonOptions, ...command?.options };
  const [optionText, inlineValue] = splitInline(current);
  const asked = inlineValue === undefined ? optionBefore(before, options) : optionNamed(optionText, options);
  if (asked !== undefined) return valuesOf(asked.name, asked.option, inlineValue ?? current, names);
  if (current.startsWith('-')) return matching(optionCandidates(options, rest), current);
  if (command === undefined) return matching(verbCandidates(verbWords), current);
  const completion = await parameterValues(verb ?? '', command, rest, options, current, names);
  if (!isLongerPossible || completion === 'files') return completion;
  return { candidates: [...matching(verbCandidates(verbWords), current).candidates, ...completion.candidates] };
}

function matching(candidates: readonly Candidate[], start: string): { readonly candidates: readonly Candidate[] } {
  return { candidates: candidates.filter(({ word }) => word.startsWith(start)) };
}

function plain(words: readonly string[]): readonly Candidate[] {
  return [...new Set(words)].sort().map((word) => ({ word, meaning: '' }));
}

/** First words of verbs, or second ones behind `words`. */
function verbCandidates(words: readonly string[]): readonly Candidate[] {
  const isHelp = words[0] === 'help';
  const found = new Map<string, string>();
  const start = isHelp ? words.slice(1) : words;
  for (const [verb, { summary }] of commands) {
    const parts = verb.split(' ');
    const next = parts[start.length];
    if (next === undefined || start.some((word, index) => parts[index] !== word)) continue;
    const isWhole = parts.length === start.length + 1;
    found.set(next, isWhole ? summary : (found.get(next) ?? ''));
  }
  if (words.length === 0) found.set('help', 'Shows what a command does');
  return [...found].map(([word, meaning]) => ({ word, meaning }));
}

/** Options that have not been given, or may be given again. */
function optionCandidates(options: Readonly<Record<string, Option>>, given: readonly string[]): readonly Candidate[] {
  return Object.entries(options)
    .filter(([name, { repeatable }]) => repeatable === true || !given.some((word) => word === `--${name}` || word.startsWith(`--${name}=`)))
    .map(([name, { meaning }]) => ({ word: `--${name}`, meaning }));
}

/** The parts of `--option=value`; without a value when there is no `=`. */
function splitInline(word: string): readonly [option: string, value: string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

interface NamedOption {
  readonly name: string;
  readonly option: Option;
}

function optionNamed(word: string, options: Readonly<Record<string, Option>>): NamedOption | undefined {
  const found = Object.entries(options).find(([name, { short }]) => word === `--${name}` || (short !== undefined && word === `-${short}`));
  return found === undefined ? undefined : { name: found[0], option: found[1] };
}

/** The option whose value the next word is. */
function optionBefore(before: readonly string[], options: Readonly<Record<string, Option>>): NamedOption | undefined {
  const named = optionNamed(before.at(-1) ?? '', options);
  return named?.option.value === undefined ? undefined : named;
}

async function valuesOf(name: string, { value = '', meaning }: Option, start: string, names: NameSource): Promise<Completion> {
  if (name === 'namespace') return matching(plain(await names.namespaces()), start);
  if (value === 'FORMAT') return matching(plain(formats.filter((format) => new RegExp(`\\b${format}\\b`).test(meaning))), start);
  if (value === 'LEVEL') return matching(plain(waitLevels), start);
  return namesFor(value, start, names);
}

/** Names of what a placeholder stands for. */
async function namesFor(placeholder: string, start: string, names: NameSource): Promise<Completion> {
  switch (placeholder) {
    case 'FILE':
    case 'FOLDER':
    case 'PATH':
      return 'files';
    case 'SITE':
      return matching(plain(await names.sites()), start);
    case 'SERVICE':
    case 'KEY':
    case 'ROUTING-KEY':
    case 'ADDRESS':
      return matching(plain(await names.services()), start);
    case 'TARGET':
      return matching(plain([...(await names.sites()), ...(await names.services())]), start);
    default:
      return { candidates: [] };
  }
}

async function parameterValues(
  verb: string,
  { parameters }: Command,
  rest: readonly string[],
  options: Readonly<Record<string, Option>>,
  start: string,
  names: NameSource,
): Promise<Completion> {
  const parameter = parameters[positionals(rest, options)];
  if (parameter === undefined) return { candidates: [] };
  const [subject = '', action = ''] = verb.split(' ');
  if (parameter.name === 'NAME') {
    if (verb === 'site revoke') return namesFor('SITE', start, names);
    if (verb === 'stat') return namesFor('TARGET', start, names);
    const kind = Object.hasOwn(resourceKinds, subject) ? resourceKinds[subject as keyof typeof resourceKinds] : undefined;
    if (kind !== undefined && ['status', 'delete'].includes(action)) return matching(plain(await names.resources(kind)), start);
  }
  if (verb === 'stat' && parameter.name === 'WHAT') {
    const kinds = plain(['services', 'sites', 'servers']);
    return matching([...kinds, ...plain(await names.services())], start);
  }
  if (parameter.name === 'SHELL') return matching(plain(['bash', 'zsh', 'fish']), start);
  return namesFor(parameter.name, start, names);
}

/** How many words of `rest` are neither options nor their values. */
function positionals(rest: readonly string[], options: Readonly<Record<string, Option>>): number {
  let count = 0;
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index] ?? '';
    if (!word.startsWith('-') || word === '-') count++;
    else if (optionNamed(word, options)?.option.value !== undefined) index++;
  }
  return count;
}

/** What `-n` says, in front of the verb or behind it. */
function namespaceIn(words: readonly string[]): string | undefined {
  for (const [index, word] of words.entries()) {
    if (word === '-n' || word === '--namespace') return words[index + 1];
    if (word.startsWith('--namespace=')) return word.slice('--namespace='.length);
  }
  return undefined;
}
