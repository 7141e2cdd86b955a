import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { commands } from './command-table.ts';
import type { Shell } from './command.ts';
import { readCall, splitLine } from './parse-arguments.ts';
import { reportError } from './report-error.ts';

/** Runs one command line and gives the exit code: 0 done, 1 failed, 2 the input cannot be accepted. */
export async function runCommand(args: readonly string[], shell: Shell): Promise<number> {
  try {
    return await dispatch(args, shell);
  } catch (error) {
    const debug = (shell.environment['VAN_DEBUG'] ?? '') !== '';
    const { text, exitCode } = reportError(error, { json: wantsJson(args), debug });
    shell.writeError(text);
    return exitCode;
  }
}

async function dispatch(args: readonly string[], shell: Shell): Promise<number> {
  if (args[0] === '--version') return dispatch(['version', ...args.slice(1)], shell);
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const helpFlag = options.includes('--help') || options.includes('-h');
  const asked = args[0] === 'help' ? args.slice(1) : args;
  const { verb, words, rest } = splitLine(asked, new Set(commands.keys()));
  const entry = verb === undefined ? undefined : commands.get(verb);
  if (helpFlag || asked !== args || words.length === 0) {
    shell.writeOut(await helpText(verb, words));
    // "van" alone did nothing that was asked for.
    return helpFlag || asked !== args ? 0 : 2;
  }
  if (verb === undefined || entry === undefined) throw unknownCommand(words);
  const { command } = await entry.load();
  return command.run(readCall(shell, verb, command, rest));
}

async function helpText(verb: string | undefined, words: readonly string[]): Promise<string> {
  const { formatCommandHelp, formatOverview } = await import('./help.ts');
  const entry = verb === undefined ? undefined : commands.get(verb);
  if (verb !== undefined && entry !== undefined) return formatCommandHelp(verb, entry.summary, (await entry.load()).command);
  const [subject] = words;
  if (subject === undefined) return formatOverview();
  if (!subjects().has(subject)) throw unknownCommand(words);
  return formatOverview(subject);
}

/** First words of the verbs of two words: `site`, `token`. */
function subjects(): ReadonlySet<string> {
  return new Set([...commands.keys()].filter((verb) => verb.includes(' ')).map((verb) => verb.split(' ')[0] ?? ''));
}

function unknownCommand(words: readonly string[]): InputError {
  const [first = '', second] = words;
  if (subjects().has(first)) {
    const verbs = [...commands.keys()].filter((verb) => verb.startsWith(`${first} `)).map((verb) => verb.slice(first.length + 1));
    const near = second === undefined ? undefined : nearestName(second, verbs);
    const message = second === undefined ? 'is not complete' : 'is no command';
    const remedy = near === undefined ? verbs.map((verb) => `van ${first} ${verb}`).join(', ') : `did you mean van ${first} ${near}?`;
    return new InputError('unknown-command', `van ${words.join(' ')}`, message, { remedy });
  }
  const near = nearestName(words.join(' '), commands.keys()) ?? nearestName(first, [...subjects(), ...commands.keys()]);
  const remedy = near === undefined ? 'van help lists all commands' : `did you mean van ${near}? (van help lists all commands)`;
  return new InputError('unknown-command', `van ${first}`, 'is no command', { remedy });
}

/** Errors in the arguments themselves are to be shown as asked for, too. */
function wantsJson(args: readonly string[]): boolean {
  return args.some((argument, index) => {
    if (['--output=json', '-ojson'].includes(argument)) return true;
    return (argument === '-o' || argument === '--output') && args[index + 1] === 'json';
  });
}
