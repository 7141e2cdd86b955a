import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { NamespaceRig, ip, namespacesMissing } from '../../kernel/netlink/namespace-rig.test.ts';
import { inNamespace } from '../../kernel/netlink/network-namespace.ts';
import { noNetworks } from '../../overlay/catalog/networks.ts';
import { parseConfiguration } from '../configuration/configuration.ts';
import { overlaySpec } from '../overlay-spec.ts';

const skip = namespacesMissing() ?? false;
const timeoutMs = 30_000;

/** Probes another host from where it runs, and writes what is known of the way once that takes less than the link does. */
const program = `
import { HostProbes } from '${fileURLToPath(new URL('../peers/host-probes.ts', import.meta.url))}';
import { Underlay } from '${fileURLToPath(new URL('underlay.ts', import.meta.url))}';
import { loadSocketCalls } from '${fileURLToPath(new URL('../../kernel/netlink/socket-calls.ts', import.meta.url))}';
import { silentLogger } from '${fileURLToPath(new URL('../../base/log.ts', import.meta.url))}';
const address = '198.51.100.2';
const underlay = new Underlay(loadSocketCalls(), 'up0', '192.0.2.1', silentLogger);
const probes = await HostProbes.open({
  address: '192.0.2.1',
  hosts: [{ hostId: 2, address }],
  log: silentLogger,
  token: 7,
  nowMs: () => performance.now(),
  mtuTo: (to) => underlay.mtuTo(to),
  changed: () => undefined,
});
const first = underlay.mtuTo(address);
for (;;) {
  underlay.nextHops([address]);
  if (underlay.mtuTo(address) < first) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log(first, underlay.mtuTo(address));
probes[Symbol.dispose]();
underlay[Symbol.dispose]();
`;

test('what a router says of the way to a host is learnt', { skip }, () => {
  using rig = new NamespaceRig();
  const [, routing] = ['one', 'router', 'two'].map((name) => rig.add(name));
  const [one, router, two] = ['one', 'router', 'two'].map((name) => rig.name(name)) as [string, string, string];
  ip(one, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'r1', 'netns', router);
  ip(two, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'r2', 'netns', router);
  ip(one, 'address', 'add', '192.0.2.1/24', 'dev', 'up0');
  ip(two, 'address', 'add', '198.51.100.2/24', 'dev', 'up0');
  ip(router, 'address', 'add', '192.0.2.9/24', 'dev', 'r1');
  ip(router, 'address', 'add', '198.51.100.9/24', 'dev', 'r2');
  for (const [namespace, link] of [
    [one, 'up0'],
    [two, 'up0'],
    [router, 'r1'],
    [router, 'r2'],
  ] as const) {
    ip(namespace, 'link', 'set', link, 'up', ...(link === 'r2' ? ['mtu', '1400'] : []));
  }
  ip(one, 'route', 'add', 'default', 'via', '192.0.2.9');
  ip(two, 'route', 'add', 'default', 'via', '198.51.100.9');
  inNamespace(rig.calls, routing!, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
  const node = [process.execPath, '--input-type=module', '-e', program];
  const output = execFileSync('nsenter', [`--net=/run/netns/${one}`, ...node], { encoding: 'utf8', timeout: timeoutMs });
  assert.equal(output, '1500 1400\n');
});

test('the narrowest way counts for all subnets, but none gets less than IPv6 needs', () => {
  const hosts = ['one', 'two', 'three'].map((name, at) => ({ name, id: at + 1, address: `192.0.2.${at + 1}` }));
  const configuration = parseConfiguration(stringify({ host: 'one', hosts }), 'overlay.yaml', () => '');
  const red = { name: 'front', vpc: 'red', vni: 7, gateways: [], dns: [], fixed: [], createdEpoch: 1 };
  const subnets = [
    { ...red, subnetId: 1, prefixes: [], mtu: undefined },
    { ...red, subnetId: 2, prefixes: [], mtu: 1300 },
  ];
  const mtusWith = (mtu: number | undefined): unknown => {
    const known = (hostId: number): { generation: number; mac: string; mtu?: number } => ({
      generation: 1,
      mac: '020000000001',
      ...(hostId === 3 && mtu !== undefined ? { mtu } : {}),
    });
    const spec = overlaySpec({
      configuration,
      epochs: [],
      networks: { ...noNetworks, subnets },
      tableSlot: () => 1,
      underlayMtu: 1500,
      known,
    });
    return [...spec.hosts.map((host) => host.mtu), ...spec.subnets.map((subnet) => subnet.mtu)];
  };
  assert.deepEqual(mtusWith(undefined), [1500, 1500, 1500, 1418, 1300]);
  assert.deepEqual(mtusWith(1400), [1500, 1500, 1400, 1318, 1300]);
  assert.deepEqual(mtusWith(900), [1500, 1500, 900, 1280, 1280]);
});
