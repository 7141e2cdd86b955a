import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WeatherError } from '../../base/errors.ts';
import { macText } from './ip-address.ts';
import { NamespaceRig, ip, ipJson, namespacesMissing } from './namespace-rig.test.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { findNextHop, resolveNextHop } from './next-hop.ts';
import { findUplink } from './uplink.ts';

const skip = namespacesMissing() ?? false;
const hasCode = (code: string) => (error: unknown) => error instanceof WeatherError && error.code === code;
const router = Uint8Array.of(10, 77, 0, 1);
const far = Uint8Array.of(192, 0, 2, 9);

describe('uplink and next hops in namespaces', { skip }, () => {
  let rig: NamespaceRig;
  let socket: NetlinkSocket;

  before(() => {
    rig = new NamespaceRig();
    const host = rig.add('host');
    rig.add('router');
    socket = new NetlinkSocket(rig.calls, host);
    ip(rig.name('host'), 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'r0', 'netns', rig.name('router'));
    ip(rig.name('router'), 'addr', 'add', '10.77.0.1/24', 'dev', 'r0');
    ip(rig.name('router'), 'link', 'set', 'r0', 'up');
  });

  after(() => {
    socket.close();
    rig[Symbol.dispose]();
  });

  test('what is missing is named in its order', () => {
    assert.throws(() => findUplink(socket), hasCode('uplink-missing'));
    assert.throws(() => findUplink(socket, 'eth7'), hasCode('uplink-missing'));
    assert.throws(() => findUplink(socket, 'up0'), hasCode('uplink-down'));
    assert.throws(() => findNextHop(socket, far), hasCode('next-hop-missing'));
    ip(rig.name('host'), 'link', 'set', 'up0', 'up');
    assert.throws(() => findUplink(socket, 'up0'), hasCode('uplink-address'));
    ip(rig.name('host'), 'addr', 'add', '10.77.0.2/24', 'dev', 'up0');
    const { link, gateway } = findUplink(socket, 'up0');
    assert.deepEqual([link.name, gateway], ['up0', undefined]);
  });

  test('the link of the default route with the smallest priority', () => {
    ip(rig.name('host'), 'link', 'add', 'up1', 'type', 'veth', 'peer', 'name', 'r1', 'netns', rig.name('router'));
    ip(rig.name('host'), 'link', 'set', 'up1', 'up');
    ip(rig.name('host'), 'addr', 'add', '10.78.0.2/24', 'dev', 'up1');
    ip(rig.name('host'), 'addr', 'add', '10.77.0.3/32', 'dev', 'up0');
    ip(rig.name('host'), 'route', 'add', 'default', 'via', '10.78.0.1', 'dev', 'up1', 'metric', '200', 'onlink');
    ip(rig.name('host'), 'route', 'add', 'default', 'via', '10.77.0.1', 'dev', 'up0', 'src', '10.77.0.3', 'metric', '100');
    const { link, addresses, gateway } = findUplink(socket);
    assert.deepEqual([link.name, gateway, addresses[0]?.address], ['up0', router, Uint8Array.of(10, 77, 0, 3)]);
    const [listed] = ipJson(rig.name('host'), 'link', 'show', 'up0');
    assert.deepEqual([link.index, macText(link.mac), link.mtu], [listed?.['ifindex'], listed?.['address'], listed?.['mtu']]);
    assert.deepEqual(findUplink(socket, 'up1').gateway, Uint8Array.of(10, 78, 0, 1));
  });

  test('the gateway tells its hardware address when it is asked', async () => {
    assert.equal(findNextHop(socket, far).mac, undefined);
    const { mac, address, source } = await resolveNextHop(socket, far, { timeoutMs: 10_000 });
    const [listed] = ipJson(rig.name('router'), 'link', 'show', 'r0');
    assert.deepEqual([macText(mac), address, source], [listed?.['address'], router, Uint8Array.of(10, 77, 0, 3)]);
    assert.deepEqual(findNextHop(socket, router).mac, mac);
  });

  test('a neighbour that is not there', async () => {
    const silent = Uint8Array.of(10, 77, 0, 99);
    await assert.rejects(resolveNextHop(socket, silent, { timeoutMs: 50 }), hasCode('next-hop-silent'));
    const cancelled = AbortSignal.abort();
    await assert.rejects(resolveNextHop(socket, silent, { timeoutMs: 10_000, signal: cancelled }), { name: 'AbortError' });
  });

  test('an address of this host has no next hop', () => {
    assert.throws(() => findNextHop(socket, Uint8Array.of(10, 77, 0, 2)), hasCode('next-hop-missing'));
  });
});
