import type { Command } from './command.ts';
import { parseInteger } from './option-values.ts';
import { printDone } from './output.ts';
import { createOverlayResource, overlayResources, overlaySocketOption } from './overlay-session.ts';

const highestVni = 0xffffff;

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the VPC' }],
  options: {
    ...overlaySocketOption,
    prefix: { value: 'PREFIX', meaning: 'range of addresses that its subnets may have; may be given several times', repeatable: true },
    vni: { value: 'VNI', meaning: 'what tells its packets from those of other VPCs (default: one that is free)' },
    peer: { value: 'VPC', meaning: 'VPC that it reaches, once that names it too; may be given several times', repeatable: true },
    dns: { value: 'MODE', meaning: 'forward, local or off: what becomes of names that are not its own', default: 'forward' },
    nat: { meaning: 'endpoints reach what is outside, with the address of a host' },
  },
  description: 'A VPC has addresses of its own: others may have the same. All hosts know it at once.',
  examples: [
    { line: 'van vpc create red --prefix 10.0.0.0/8', meaning: 'A network of a tenant' },
    { line: 'van vpc create blue --prefix 172.16.0.0/12 --prefix fd00::/48 --peer red --nat', meaning: 'With IPv6, a peer and a way out' },
  ],
  async run(call) {
    const name = call.parameter('NAME');
    const vni = call.text('vni');
    const spec = {
      prefixes: call.texts('prefix'),
      ...(vni === undefined ? {} : { vni: parseInteger(vni, '--vni', 1, highestVni) }),
      peers: call.texts('peer'),
      dns: call.text('dns') ?? 'forward',
      ...(call.flag('nat') ? { egress: { mode: 'nat' } } : {}),
    };
    await createOverlayResource(
      call,
      { kind: 'VPC', metadata: { name }, spec },
      {
        'metadata.name': 'NAME',
        'spec.prefixes': '--prefix',
        'spec.vni': '--vni',
        'spec.peers': '--peer',
        'spec.dns': '--dns',
        'spec.egress': '--nat',
      },
    );
    const report = (await overlayResources(call)).find((one) => one.kind === 'VPC' && one.metadata.name === name);
    await printDone(call, `VPC "${name}" is created, with VNI ${report?.status.vni ?? '?'}.`, report);
    return 0;
  },
};
