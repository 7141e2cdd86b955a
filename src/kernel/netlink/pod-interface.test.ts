import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { WeatherError } from '../../base/errors.ts';
import { decodeAddress, deleteAddress, dumpAddresses } from './address-message.ts';
import { findLink } from './find-link.ts';
import { addressText, macText } from './ip-address.ts';
import { changeLink, decodeLink, deleteLink, dumpLinks } from './link-message.ts';
import { LinkRemover } from './link-remover.ts';
import { NamespaceRig, ip, ipJson, namespacesMissing, openDescriptors } from './namespace-rig.test.ts';
import { decodeNeighbour, deleteNeighbour, dumpNeighbours, putNeighbour } from './neighbour-message.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { NetworkNamespace, createNamedNamespace, deleteNamedNamespace, inNamespace, pathOf } from './network-namespace.ts';
import { type PodInterfaceSpec, createPodInterface, readPodInterface } from './pod-interface.ts';
import { decodeRoute, deleteRoute, dumpRoutes } from './route-message.ts';

const skip = namespacesMissing() ?? false;
const removalGroup = 0x5641;
const podMac = Uint8Array.of(2, 0, 0, 0, 0, 2);
const gateway = Uint8Array.of(10, 1, 0, 1);
const address6 = Uint8Array.from(Buffer.from('fd000000000000000000000000000002', 'hex'));

function spec(podNamespace: NetworkNamespace, changes: Partial<PodInterfaceSpec> = {}): PodInterfaceSpec {
  return {
    hostName: 'van0',
    podName: 'eth0',
    podNamespace,
    podMac,
    mtu: 1418,
    alias: 'container-1/eth0',
    addresses: [
      { address: Uint8Array.of(10, 1, 0, 2), prefixLength: 24 },
      { address: address6, prefixLength: 64 },
    ],
    routes: [{ destination: { address: new Uint8Array(4), prefixLength: 0 }, gateway, mtu: 1400 }],
    neighbours: [{ address: gateway, mac: Uint8Array.of(2, 0, 0, 0, 0, 1) }],
    transmitChecksumOffload: false,
    ...changes,
  };
}

const hasCode = (code: string) => (error: unknown) => error instanceof WeatherError && error.code === code;

describe("pods' interfaces in namespaces", { skip }, () => {
  let rig: NamespaceRig;
  let hostNamespace: NetworkNamespace;
  let host: NetlinkSocket;
  let remover: LinkRemover;
  let descriptorsBefore = 0;
  const hostLinks = (): Record<string, unknown>[] => ipJson(rig.name('host'), '-d', 'link', 'show', 'type', 'veth');

  before(() => {
    descriptorsBefore = openDescriptors();
    rig = new NamespaceRig();
    hostNamespace = rig.add('host');
    host = new NetlinkSocket(rig.calls, hostNamespace);
    remover = new LinkRemover(rig.calls, { group: removalGroup, namespace: hostNamespace, gatherMs: 0 });
  });

  after(async () => {
    await remover.close();
    host.close();
    rig[Symbol.dispose]();
    assert.ok(!existsSync(pathOf(rig.name('host'))));
    assert.equal(openDescriptors(), descriptorsBefore);
  });

  test('is as ip sees it, and as we read it', async () => {
    const pod = rig.add('pod');
    const made = await createPodInterface(rig.calls, spec(pod), hostNamespace);

    const [hostLink] = hostLinks();
    assert.equal(hostLink?.['ifindex'], made.hostIndex);
    assert.equal(hostLink?.['address'], macText(made.hostMac));
    assert.deepEqual(
      [hostLink?.['ifname'], hostLink?.['mtu'], hostLink?.['ifalias'], hostLink?.['inet6_addr_gen_mode'], hostLink?.['operstate']],
      ['van0', 1418, 'container-1/eth0', 'none', 'UP'],
    );
    assert.deepEqual([hostLink?.['num_rx_queues'], hostLink?.['num_tx_queues']], [1, 1]);

    const [podLink] = ipJson(rig.name('pod'), '-d', 'addr', 'show', 'dev', 'eth0');
    assert.equal(podLink?.['ifindex'], made.podIndex);
    assert.deepEqual([podLink?.['address'], podLink?.['mtu'], podLink?.['operstate']], [macText(podMac), 1418, 'UP']);
    assert.deepEqual([podLink?.['num_rx_queues'], podLink?.['num_tx_queues']], [1, 1]);
    const addresses = podLink?.['addr_info'] as { local: string; prefixlen: number; scope: string; nodad?: boolean }[];
    assert.deepEqual(
      addresses.map(({ local, prefixlen, scope, nodad }) => [local, prefixlen, scope, nodad]),
      [
        ['10.1.0.2', 24, 'global', undefined],
        // And no link-local one.
        ['fd00::2', 64, 'global', true],
      ],
    );
    const [route] = ipJson(rig.name('pod'), 'route', 'show', 'default');
    assert.deepEqual([route?.['gateway'], route?.['dev'], route?.['protocol']], ['10.1.0.1', 'eth0', 'static']);
    assert.deepEqual(route?.['metrics'], [{ mtu: 1400 }]);
    const [neighbour] = ipJson(rig.name('pod'), 'neigh', 'show', 'dev', 'eth0');
    assert.deepEqual([neighbour?.['dst'], neighbour?.['lladdr'], neighbour?.['state']], ['10.1.0.1', '02:00:00:00:00:01', ['PERMANENT']]);

    const state = readPodInterface(rig.calls, pod, 'eth0') ?? assert.fail();
    assert.deepEqual(state.offloads, { receive: true, transmitChecksum: false, tunnelSegmentation: false });
    assert.deepEqual(state.link.mac, podMac);
    assert.deepEqual(
      state.addresses.map(({ address }) => addressText(address)),
      ['10.1.0.2', 'fd00:0:0:0:0:0:0:2'],
    );
    const first = state.routes.find(({ destination }) => destination.prefixLength === 0);
    assert.deepEqual([first?.gateway, first?.mtu, first?.linkIndex], [gateway, 1400, made.podIndex]);
    assert.equal(readPodInterface(rig.calls, pod, 'eth1'), undefined);

    await remover.remove('van0');
    assert.deepEqual(hostLinks(), []);
    assert.equal(readPodInterface(rig.calls, pod, 'eth0'), undefined);
    await remover.remove('van0');
    await remover.remove(made.hostIndex);
  });

  test('with a gateway outside of the subnet, and checksums left to the device', async () => {
    const pod = rig.add('onlink');
    const mapped = (...last: number[]): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...last);
    const wanted = spec(pod, {
      addresses: [{ address: mapped(10, 1, 0, 3), prefixLength: 32 }],
      routes: [{ destination: { address: mapped(0, 0, 0, 0), prefixLength: 0 }, gateway: mapped(169, 254, 1, 1), onLink: true }],
      neighbours: undefined,
      transmitChecksumOffload: true,
    });
    await createPodInterface(rig.calls, wanted, hostNamespace);
    const [route] = ipJson(rig.name('onlink'), 'route', 'show', 'default');
    assert.deepEqual([route?.['gateway'], route?.['flags']], ['169.254.1.1', ['onlink']]);
    assert.deepEqual(readPodInterface(rig.calls, pod, 'eth0')?.offloads, {
      receive: true,
      transmitChecksum: true,
      tunnelSegmentation: false,
    });
    // Deleting the pod's end deletes both.
    using inPod = new NetlinkSocket(rig.calls, pod);
    await inPod.runAway([deleteLink('eth0')]);
    assert.deepEqual(hostLinks(), []);
  });

  test('what is there already is named, and stays', async () => {
    const [pod, other] = [rig.add('taken'), rig.add('other')];
    await createPodInterface(rig.calls, spec(pod), hostNamespace);
    await assert.rejects(createPodInterface(rig.calls, spec(other), hostNamespace), hasCode('host-link-exists'));
    await assert.rejects(createPodInterface(rig.calls, spec(pod, { hostName: 'van1' }), hostNamespace), hasCode('pod-link-exists'));
    assert.deepEqual(
      hostLinks().map((link) => [link['ifname'], link['ifalias']]),
      [['van0', 'container-1/eth0']],
    );
    assert.equal(readPodInterface(rig.calls, other, 'eth0'), undefined);
    await remover.remove('van0');
  });

  test('a step that is refused says which, and leaves nothing', async () => {
    const pod = rig.add('refused');
    const bad = spec(pod, {
      routes: [{ destination: { address: new Uint8Array(4), prefixLength: 0 }, gateway: Uint8Array.of(192, 0, 2, 1) }],
    });
    await assert.rejects(createPodInterface(rig.calls, bad, hostNamespace), (error) => {
      assert.ok(error instanceof WeatherError);
      assert.match(error.message, /adding a route to 0\.0\.0\.0\/0 through link \d+: .*: Nexthop has invalid gateway/);
      assert.ok(error.message.includes(pod.path));
      return true;
    });
    await assert.rejects(createPodInterface(rig.calls, spec(pod, { podName: 'a-name-of-16-octets' }), hostNamespace), WeatherError);
    await assert.rejects(createPodInterface(rig.calls, spec(pod, { podMac: new Uint8Array(6).fill(1) }), hostNamespace), WeatherError);
    assert.deepEqual(hostLinks(), []);
    assert.equal(readPodInterface(rig.calls, pod, 'eth0'), undefined);
  });

  test('dumps are what ip lists', async () => {
    const pod = rig.add('dumps');
    const { podIndex } = await createPodInterface(rig.calls, spec(pod), hostNamespace);
    using socket = new NetlinkSocket(rig.calls, pod);
    socket.run([changeLink('lo', { up: true }), putNeighbour(podIndex, address6, podMac)]);
    const namespace = rig.name('dumps');
    assert.deepEqual(
      socket.dump(dumpLinks(), decodeLink).map(({ index, name, mtu, mac }) => [index, name, mtu, macText(mac)]),
      ipJson(namespace, 'link').map((link) => [link['ifindex'], link['ifname'], link['mtu'], link['address']]),
    );
    const listed = ipJson(namespace, 'addr').flatMap((link) =>
      (link['addr_info'] as { family: string; prefixlen: number }[]).map(
        ({ family, prefixlen }) => `${String(link['ifindex'])} ${family} ${prefixlen}`,
      ),
    );
    const dumped = socket
      .dump(dumpAddresses(), decodeAddress)
      .map(({ linkIndex, address, prefixLength }) => `${linkIndex} ${address.length === 4 ? 'inet' : 'inet6'} ${prefixLength}`);
    assert.deepEqual(dumped.toSorted(), listed.toSorted());
    assert.equal(socket.dump(dumpAddresses(1), decodeAddress).length, 2);
    const neighbours = socket.dump(dumpNeighbours(podIndex), decodeNeighbour).filter(({ state }) => state === 0x80);
    assert.equal(neighbours.length, ipJson(namespace, 'neigh', 'show', 'nud', 'permanent', 'dev', 'eth0').length);

    // All that was added can be taken away.
    const [defaultRoute] = socket.dump(dumpRoutes(2), decodeRoute).filter(({ destination }) => destination.prefixLength === 0);
    socket.run([
      deleteRoute(defaultRoute ?? assert.fail()),
      deleteNeighbour(podIndex, gateway),
      deleteAddress(podIndex, { address: address6, prefixLength: 64 }),
      changeLink(podIndex, { up: false, mtu: 1300, mac: Uint8Array.of(2, 0, 0, 0, 0, 9), group: 7 }),
    ]);
    assert.deepEqual(ipJson(namespace, 'route', 'show', 'default'), []);
    const [link] = ipJson(namespace, 'addr', 'show', 'dev', 'eth0');
    assert.deepEqual([link?.['mtu'], link?.['address'], link?.['group']], [1300, '02:00:00:00:00:09', '7']);
    assert.equal(findLink(socket, 'eth0')?.up, false);
    assert.throws(() => socket.run([deleteLink('eth7')]), hasCode('netlink-missing'));
    await remover.remove('van0');
  });

  test('removals that come together go together, and a namespace that is gone is no error', async () => {
    const pod = rig.add('many');
    const names = Array.from({ length: 20 }, (_, index) => `van${index}`);
    for (const [index, hostName] of names.entries()) {
      await createPodInterface(
        rig.calls,
        spec(pod, { hostName, podName: `eth${index}`, addresses: [], routes: [], neighbours: [] }),
        hostNamespace,
      );
    }
    assert.equal(hostLinks().length, names.length);
    ip(rig.name('host'), 'link', 'delete', 'van3');
    await Promise.all([...names, 'none'].map((name) => remover.remove(name)));
    assert.deepEqual(hostLinks(), []);
    assert.equal(remover.waiting, 0);
  });

  test('creations beside each other and beside removals', async () => {
    const pods = Array.from({ length: 8 }, (_, index) => rig.add(`beside-${index}`));
    for (let round = 0; round < 2; round++) {
      await Promise.all(
        pods.map(async (pod, index) => {
          await createPodInterface(rig.calls, spec(pod, { hostName: `van${index}` }), hostNamespace);
          assert.equal(readPodInterface(rig.calls, pod, 'eth0')?.addresses.length, 2);
          await remover.remove(`van${index}`);
        }),
      );
    }
    assert.deepEqual(hostLinks(), []);
  });

  test('100 pods come and go and leave nothing', async () => {
    const cycle = async (): Promise<void> => {
      const name = rig.name('cycle');
      using pod = createNamedNamespace(rig.calls, name);
      try {
        await createPodInterface(rig.calls, spec(pod), hostNamespace);
      } finally {
        await remover.remove('van0');
        deleteNamedNamespace(rig.calls, name);
      }
    };
    await cycle();
    const descriptors = openDescriptors();
    for (let count = 1; count < 100; count++) await cycle();
    assert.deepEqual(hostLinks(), []);
    assert.equal(openDescriptors(), descriptors);
    assert.ok(!existsSync(pathOf(rig.name('cycle'))));
  });

  test('a namespace is entered and left, also when what runs there throws', () => {
    const indexOf = (name: string): number | undefined => {
      using socket = new NetlinkSocket(rig.calls);
      return findLink(socket, name)?.index;
    };
    ip(rig.name('host'), 'link', 'add', 'only-here', 'type', 'bridge');
    assert.equal(indexOf('only-here'), undefined);
    assert.ok(inNamespace(rig.calls, hostNamespace, () => indexOf('only-here')) !== undefined);
    assert.throws(() => inNamespace(rig.calls, hostNamespace, () => assert.fail('thrown there')), /thrown there/);
    assert.equal(indexOf('only-here'), undefined);
    assert.throws(() => inNamespace(rig.calls, hostNamespace, () => Promise.resolve()), /bug/);
    assert.equal(indexOf('only-here'), undefined);
  });

  test('namespaces that are not there, are there, or are none', () => {
    assert.throws(() => new NetworkNamespace(pathOf(rig.name('nowhere'))), hasCode('namespace-missing'));
    assert.throws(() => createNamedNamespace(rig.calls, rig.name('host')), hasCode('namespace-exists'));
    assert.equal(deleteNamedNamespace(rig.calls, rig.name('nowhere')), false);
    using none = new NetworkNamespace('/proc/self/status');
    assert.throws(() => new NetlinkSocket(rig.calls, none), hasCode('namespace-missing'));
  });
});
