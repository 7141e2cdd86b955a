import { randomInt } from 'node:crypto';
import { InputError } from '../base/errors.ts';
import { isIpv4, parseAddress } from '../overlay/packet/address.ts';
import type { TraceReport, TraceStep } from '../overlay/trace/trace-report.ts';
import { longestPacketBytes, traceProtocols } from '../overlay/trace/trace-request.ts';
import type { Command } from './command.ts';
import { parseChoice, parseInteger, parsePort } from './option-values.ts';
import { printResult } from './output.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';
import { formatFields, formatTable } from './table.ts';

const highestVni = 0xffffff;
/** Ports that systems give to clients. */
const clientPorts = { from: 49_152, to: 65_536 } as const;

export const command: Command = {
  parameters: [
    { name: 'VNI', meaning: 'number of the VPC, as van overlay status shows it' },
    { name: 'SOURCE', meaning: 'address of a pod of the VPC, at any host' },
    { name: 'DESTINATION', meaning: 'address that the packet goes to: a pod, a service, anything' },
  ],
  options: {
    ...overlaySocketOption,
    proto: { value: 'PROTOCOL', meaning: 'tcp (a SYN), udp or icmp (an echo request)', default: 'icmp' },
    port: { value: 'PORT', meaning: 'destination port of TCP or UDP', default: '80' },
    'source-port': { value: 'PORT', meaning: 'source port of TCP or UDP, identifier of ICMP; a random one when absent' },
    bytes: { value: 'OCTETS', meaning: 'length of the IP packet; raised to what the headers take', default: '0' },
  },
  description:
    'Walks one packet through the overlay: at each host that it passes, the daemon runs the real programs of the data path on it, in the kernel and\n' +
    'with the real maps, and says what they did. First comes the question for the MAC of the next hop, as a pod asks it that knows nobody.\n' +
    'No pod gets anything and nothing is sent between pods. But each packet is counted, and hosts learn paths and keep flows, as they would from\n' +
    'the pod itself. NS is the time of that one run. The exit code is 1 when the packet is not delivered.',
  examples: [
    { line: 'van overlay trace 7 10.0.0.2 10.0.1.5 --config overlay.yaml', meaning: 'Why does this ping not arrive?' },
    { line: 'van overlay trace 7 10.0.0.2 10.96.0.10 --proto tcp --port 443 -c overlay.yaml', meaning: 'Where does a connection go?' },
    { line: 'van overlay trace 7 10.0.0.2 10.0.1.5 --bytes 1500 -o json -c overlay.yaml', meaning: 'A long packet; all that is known' },
  ],
  async run(call) {
    const [source, destination] = [call.parameter('SOURCE'), call.parameter('DESTINATION')];
    const [from, to] = [parsed(source, 'SOURCE'), parsed(destination, 'DESTINATION')];
    if (isIpv4(from) !== isIpv4(to)) {
      throw new InputError('bad-parameter', 'DESTINATION', 'must be of the family of SOURCE: both IPv4 or both IPv6');
    }
    const vni = parseInteger(call.parameter('VNI'), 'VNI', 1, highestVni);
    const protocol = parseChoice(call.text('proto') ?? 'icmp', '--proto', traceProtocols);
    const port = parsePort(call.text('port') ?? '80', '--port');
    const sourcePortText = call.text('source-port');
    const sourcePort =
      sourcePortText === undefined ? randomInt(clientPorts.from, clientPorts.to) : parsePort(sourcePortText, '--source-port');
    const bytes = parseInteger(call.text('bytes') ?? '0', '--bytes', 0, longestPacketBytes);
    const request = { ask: 'trace', vni, source, destination, protocol, port, sourcePort, bytes } as const;
    const report = (await askOverlay(call, request)) as TraceReport;
    await printResult(call, report, () => formatTrace(report));
    return report.outcome === 'delivered' ? 0 : 1;
  },
};

function parsed(text: string, where: string): Uint8Array {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new InputError('bad-parameter', where, `must be an IPv4 or IPv6 address, not '${text}'`);
}

/** The steps as a table, what each of them sent below, and the end. */
function formatTrace({ steps, outcome, host, reason, meaning, remedy }: TraceReport): string {
  const table = formatTable(
    ['STEP', 'HOST', 'PROGRAM', 'VERDICT', 'COUNTED', 'NS', 'FRAME'],
    steps.map(({ host: at, program, verdict, counted, isShared, frame, durationNs }, index) => [
      String(index + 1),
      at,
      program,
      verdict,
      counted.length === 0 ? '-' : `${counted.join(', ')}${isShared ? ' (or others)' : ''}`,
      String(durationNs),
      frame,
    ]),
  );
  const details = steps.flatMap((step, index) => detailsOf(step).map((line) => `  ${index + 1}: ${line}\n`)).join('');
  const fields: (readonly [string, string])[] = [['Outcome', `${outcome} at ${host}${reason === null ? '' : ` (${reason})`}: ${meaning}`]];
  if (remedy !== null) fields.push(['Try', remedy]);
  return `${steps.length === 0 ? '' : `${table}\n${details}${details === '' ? '' : '\n'}`}${formatFields(fields)}`;
}

function detailsOf({ sent, became, learnt }: TraceStep): string[] {
  const lines: string[] = [];
  if (became !== null) lines.push(`became: ${became}`);
  if (sent !== null) {
    lines.push(`sent to ${sent.toHost}: ${sent.source}:${sent.sourcePort} to ${sent.destination}, TTL ${sent.timeToLive}`);
    for (const option of sent.options) lines.push(`with ${option}`);
  }
  for (const path of learnt) lines.push(`learnt: ${path}`);
  return lines;
}
