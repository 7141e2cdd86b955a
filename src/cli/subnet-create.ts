import { InputError } from '../base/errors.ts';
import type { Command } from './command.ts';
import { parseInteger } from './option-values.ts';
import { printDone } from './output.ts';
import { createOverlayResource, overlaySocketOption } from './overlay-session.ts';

const [leastMtu, mostMtu] = [1280, 9000];

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the subnet' }],
  options: {
    ...overlaySocketOption,
    vpc: { value: 'VPC', meaning: 'VPC that it belongs to' },
    prefix: { value: 'PREFIX', meaning: 'its addresses; one of IPv4, one of IPv6 or both', repeatable: true },
    gateway: { value: 'ADDRESS', meaning: 'address of the gateway (default: the first one)', repeatable: true },
    fixed: { value: 'PREFIX', meaning: 'part of it that is left to addresses which users choose', repeatable: true },
    mtu: { value: 'OCTETS', meaning: 'MTU of its endpoints (default: what the network between the hosts has room for)' },
  },
  description: 'All hosts know it at once, and pods can be put into it.',
  examples: [
    { line: 'van subnet create front --vpc red --prefix 10.0.0.0/24', meaning: 'Addresses for pods' },
    { line: 'van subnet create back --vpc red --prefix 10.0.1.0/24 --fixed 10.0.1.128/25', meaning: 'With room for services' },
  ],
  async run(call) {
    const name = call.parameter('NAME');
    const vpc = call.text('vpc');
    if (vpc === undefined) throw new InputError('missing-option', '--vpc', 'the VPC is needed', { remedy: 'van vpc status lists them' });
    const mtu = call.text('mtu');
    const spec = {
      vpc,
      prefixes: call.texts('prefix'),
      gateways: call.texts('gateway'),
      fixed: call.texts('fixed'),
      ...(mtu === undefined ? {} : { mtu: parseInteger(mtu, '--mtu', leastMtu, mostMtu) }),
    };
    const places = {
      'metadata.name': 'NAME',
      'spec.vpc': '--vpc',
      'spec.prefixes': '--prefix',
      'spec.gateways': '--gateway',
      'spec.fixed': '--fixed',
      'spec.mtu': '--mtu',
    };
    const resource = await createOverlayResource(call, { kind: 'Subnet', metadata: { name }, spec }, places);
    await printDone(call, `Subnet "${name}" of VPC "${vpc}" is created: ${spec.prefixes.join(', ')}.`, resource);
    return 0;
  },
};
