import { setTimeout as sleep } from 'node:timers/promises';
import { InputError, WeatherError } from '../base/errors.ts';
import type { ResourceReport } from '../overlay-host/operator/resource-operations.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parsePort, parseSettings } from './option-values.ts';
import { printDone } from './output.ts';
import { createOverlayResource, overlayResources, overlaySocketOption } from './overlay-session.ts';

/** Between two looks whether it is there. */
const lookEveryMs = 50;

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the endpoint' }],
  options: {
    ...overlaySocketOption,
    subnet: { value: 'SUBNET', meaning: 'subnet that it is in' },
    address: { value: 'ADDRESS', meaning: 'its address (default: one that is free); one of IPv4, one of IPv6 or both', repeatable: true },
    mac: { value: 'MAC', meaning: 'its MAC (default: one is made)' },
    label: { short: 'l', value: 'KEY=VALUE', meaning: 'label, for services and policies; may be given several times', repeatable: true },
    host: { value: 'HOST', meaning: 'host that it is at (default: the one that is asked)' },
    netns: { value: 'PATH', meaning: 'network namespace at that host, such as /run/netns/web' },
    ifname: { value: 'NAME', meaning: 'name of the interface in it', default: 'eth0' },
    forward: {
      value: 'PORT[/udp]=ADDRESS:PORT',
      meaning: 'a port of its address leads to this address on the host; may be given several times',
      repeatable: true,
    },
    offer: {
      value: 'ADDRESS:PORT=ADDRESS:PORT',
      meaning: 'a port of the host (udp:ADDRESS:PORT for UDP) leads to this address in the VPC; may be given several times',
      repeatable: true,
    },
  },
  description:
    'The host makes the interface, and makes it again when it starts anew. With --forward and --offer the host itself is at the address, and no\n' +
    'network namespace is needed. Waits until the endpoint is there, unless --wait none.',
  examples: [
    { line: 'van endpoint create web --subnet front --netns /run/netns/web -l app=web', meaning: 'An interface for a program' },
    { line: 'van endpoint create db --subnet front --forward 5432=127.0.0.1:15432', meaning: 'A program of the host, in the VPC' },
    { line: 'van endpoint create out --subnet front --offer 127.0.0.1:18080=10.0.0.5:80', meaning: 'A program of the VPC, at the host' },
  ],
  async run(call) {
    const level = call.waitLevel('ready');
    const name = call.parameter('NAME');
    const subnet = call.text('subnet');
    if (subnet === undefined)
      throw new InputError('missing-option', '--subnet', 'the subnet is needed', { remedy: 'van subnet status lists them' });
    const labels = parseSettings(call.texts('label'), '--label');
    const spec = {
      subnet,
      addresses: call.texts('address'),
      ifname: call.text('ifname') ?? 'eth0',
      ...Object.fromEntries(['mac', 'host', 'netns'].flatMap((key) => (call.text(key) === undefined ? [] : [[key, call.text(key)]]))),
      forward: call.texts('forward').map(parseForward),
      offer: call.texts('offer').map(parseOffer),
    };
    const places = {
      'metadata.name': 'NAME',
      'metadata.labels': '--label',
      'spec.addresses': '--address',
      ...Object.fromEntries(['subnet', 'mac', 'host', 'netns', 'ifname', 'forward', 'offer'].map((key) => [`spec.${key}`, `--${key}`])),
    };
    const metadata = { name, ...(Object.keys(labels).length === 0 ? {} : { labels }) };
    await createOverlayResource(call, { kind: 'Endpoint', metadata, spec }, places);
    const isMade = 'netns' in spec || spec.forward.length > 0 || spec.offer.length > 0;
    const report = level === 'none' || !isMade ? undefined : await madeEndpoint(call, name);
    const where = report?.status.addresses?.join(', ');
    await printDone(
      call,
      `Endpoint "${name}" is created${where === undefined ? '' : `: ${where}`}.`,
      report ?? { kind: 'Endpoint', metadata, spec },
    );
    return 0;
  },
};

/** Waits until its host has made it. Throws WeatherError when that fails. */
async function madeEndpoint(call: Call, name: string): Promise<ResourceReport> {
  const untilMs = performance.now() + call.timeoutMs;
  for (;;) {
    const report = (await overlayResources(call)).find((one) => one.kind === 'Endpoint' && one.metadata.name === name);
    if (report?.status.problem !== undefined) {
      throw new WeatherError('endpoint', `Endpoint '${name}' is created, and could not be made: ${report.status.problem}`, {
        remedy: `its host tries again; van endpoint delete ${name} ends that`,
      });
    }
    if (report?.status.addresses !== undefined) return report;
    if (performance.now() >= untilMs) {
      throw new WeatherError('timeout', `Endpoint '${name}' is created, and its host has not made it yet`, {
        remedy: `van endpoint status ${name} tells when it has`,
      });
    }
    await sleep(lookEveryMs);
  }
}

/** `5432=127.0.0.1:15432`, `53/udp=127.0.0.1:5353`. */
function parseForward(text: string): object {
  const [, port = '', protocol = 'tcp', to = ''] = /^(\d+)(?:\/(tcp|udp))?=(.+)$/.exec(text) ?? [];
  if (to === '')
    throw new InputError('bad-value', '--forward', `'${text}' is not PORT=ADDRESS:PORT`, { remedy: '--forward 5432=127.0.0.1:15432' });
  return { protocol, port: parsePort(port, '--forward'), to };
}

/** `127.0.0.1:18080=10.0.0.5:80`, `udp:127.0.0.1:5353=10.0.0.5:53`. */
function parseOffer(text: string): object {
  const [, protocol = 'tcp', listen = '', to = ''] = /^(?:(tcp|udp):)?([^=]+)=(.+)$/.exec(text) ?? [];
  if (to === '') {
    throw new InputError('bad-value', '--offer', `'${text}' is not ADDRESS:PORT=ADDRESS:PORT`, {
      remedy: '--offer 127.0.0.1:18080=10.0.0.5:80',
    });
  }
  return { protocol, listen, to };
}
