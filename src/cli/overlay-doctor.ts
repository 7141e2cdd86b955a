import { release } from 'node:os';
import { InputError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { printResult } from './output.ts';
import type { HostCheck } from './host-check.ts';
import { checkHost } from './overlay-checks.ts';
import { printableLine, printableText } from './printable.ts';

const marks: Readonly<Record<HostCheck['result'], string>> = { ok: '√', warning: '‼', error: '×', skipped: '-' };

export const command: Command = {
  parameters: [],
  options: {
    uplink: {
      value: 'NAME',
      meaning: 'link to the other hosts, which gets a program for a moment; that of the default route, untouched, if absent',
    },
    peer: { value: 'ADDRESS', meaning: 'IPv4 address of another host: is the way there known?' },
  },
  description:
    'Tries what the tenant overlay needs of this machine: privileges, libbpf, each feature of the kernel, the compiled programs, the link to the other hosts\n' +
    'and its MTU. For all that is missing it says why, which version has it and what to do. Nothing is left behind. The exit code is 1 when something\n' +
    'that is required is missing; warnings leave it 0.',
  examples: [
    { line: 'sudo van overlay doctor', meaning: 'Can this machine be a host of the overlay?' },
    { line: 'sudo van overlay doctor --uplink eth1 --peer 192.0.2.7', meaning: 'Try native XDP at eth1, and the way to another host' },
    { line: 'sudo van overlay doctor -o json', meaning: 'For scripts' },
  ],
  async run(call) {
    const checks = await checkHost({ uplink: call.text('uplink'), peer: parsePeer(call.text('peer')) });
    const isAble = checks.every(({ result }) => result !== 'error');
    const report = { success: isAble, kernel: `${process.platform} ${release()}`, checks };
    await printResult(call, report, () => formatChecks(checks));
    return isAble ? 0 : 1;
  },
};

function parsePeer(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const octets = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (octets.length === 4 && octets.every((octet) => octet < 256)) return Uint8Array.from(octets);
  throw new InputError('bad-option', '--peer', `${text} is no IPv4 address`, { remedy: 'van overlay doctor --peer 192.0.2.7' });
}

/** One line for what is well; cause, version and remedy below what is not. */
export function formatChecks(checks: readonly HostCheck[]): string {
  const lines = checks.flatMap(({ description, result, since, seen, remedy, code }) => {
    const first = `${marks[result]} ${description}${result === 'ok' && seen !== 'found' ? `: ${printableLine(seen)}` : ''}`;
    if (result === 'ok') return [first];
    if (result === 'skipped') return [first, `    not checked: ${printableLine(seen)}`];
    return [
      first,
      `    seen:  ${printableText(seen).trimEnd().replaceAll('\n', '\n           ')}`,
      ...(since === null ? [] : [`    since: ${since}`]),
      ...(remedy === null ? [] : [`    try:   ${printableLine(remedy)}`]),
      `    (${code})`,
    ];
  });
  const count = (wanted: HostCheck['result']): number => checks.filter(({ result }) => result === wanted).length;
  const told = [
    `${count('ok')} passed`,
    ...(count('error') > 0 ? [`${count('error')} failed`] : []),
    ...(count('warning') > 0 ? [`${count('warning')} with a warning`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} not to be checked`] : []),
  ].join(', ');
  const sentence =
    count('error') === 0 ? 'This machine can be a host of the tenant overlay' : 'This machine cannot be a host of the tenant overlay yet';
  return `${lines.join('\n')}\n\n${sentence} (${told}).\n`;
}
