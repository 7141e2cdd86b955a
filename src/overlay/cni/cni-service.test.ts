import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import fc from 'fast-check';
import { WeatherError } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { cniCode, CniError } from './cni-error.ts';
import { CniService } from './cni-service.ts';
import { supportedVersions } from './cni-version.ts';
import { AttachmentTable, formatRecord, parseJournal } from './journal.ts';
import { keyA, MemoryJournal, MemoryPodNetwork, requestOf } from './pod-network-fixtures.test.ts';
import type { CniReply } from './cni-request.ts';

const keyB = { containerId: 'bbbb', ifname: 'eth0' };

function newHost(): { network: MemoryPodNetwork; journal: MemoryJournal; service: CniService } {
  const network = new MemoryPodNetwork();
  const journal = new MemoryJournal();
  return { network, journal, service: new CniService({ network, journal, log: silentLogger }) };
}

function resultOf(reply: CniReply): Record<string, unknown> {
  assert.equal(reply.exitStatus, 0, reply.text);
  return JSON.parse(reply.text) as Record<string, unknown>;
}

function errorOf(reply: CniReply): { code: number; msg: string; details: string; cniVersion: string } {
  assert.equal(reply.exitStatus, 1, reply.text);
  return JSON.parse(reply.text) as { code: number; msg: string; details: string; cniVersion: string };
}

function gcConfig(...keys: { containerId: string; ifname: string }[]): object {
  return { 'cni.dev/valid-attachments': keys.map(({ containerId, ifname }) => ({ containerID: containerId, ifname })) };
}

for (const version of supportedVersions) {
  test(`${version}: what is added has the shape of its version, is checked and deleted`, async () => {
    const { network, journal, service } = newHost();
    const result = resultOf(await service.handle(requestOf('ADD', { version })));
    const mtu = version === '1.1.0' ? { mtu: 1418 } : {};
    const family = (text: string): object => (version === '0.4.0' ? { version: text } : {});
    assert.deepEqual(result, {
      cniVersion: version,
      interfaces: [
        { name: 'cv2', mac: 'ee:00:00:00:00:02', ...mtu },
        { name: 'eth0', mac: '02:00:00:00:00:02', ...mtu, sandbox: '/run/netns/a' },
      ],
      ips: [
        { ...family('4'), address: '10.1.0.2/16', gateway: '10.1.0.1', interface: 1 },
        { ...family('6'), address: 'fd00:1::2/64', gateway: 'fd00:1::1', interface: 1 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '10.1.0.1', ...mtu },
        { dst: '::/0', gw: 'fd00:1::1', ...mtu },
      ],
    });
    const silent = { exitStatus: 0, text: '' };
    assert.deepEqual(await service.handle(requestOf('CHECK', { version, config: { prevResult: result } })), silent);
    assert.deepEqual(await service.handle(requestOf('DEL', { version, config: { prevResult: result } })), silent);
    assert.deepEqual(await service.handle(requestOf('DEL', { version, netns: '' })), silent);
    assert.equal(network.interfaces.size, 0);
    assert.deepEqual(service.records(), []);
    assert.deepEqual(
      journal.records.map(({ record }) => record),
      ['adding', 'added', 'deleting', 'deleted'],
    );
  });
}

test('the result stands behind that of the plugin before, whose unknown members are kept', async () => {
  const { service } = newHost();
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/a', colour: 'red' }],
    ips: [{ address: '127.0.0.1/8', interface: 0 }],
    dns: { nameservers: ['10.1.0.2'] },
    weather: 'fine',
  };
  const result = resultOf(await service.handle(requestOf('ADD', { version: '1.0.0', config: { prevResult } })));
  assert.equal(result['weather'], 'fine');
  assert.deepEqual(result['dns'], prevResult.dns);
  const interfaces = result['interfaces'] as { name: string }[];
  assert.deepEqual(interfaces[0], prevResult.interfaces[0]);
  assert.deepEqual(
    (result['ips'] as { interface: number }[]).map((ip) => interfaces[ip.interface]?.name),
    ['lo', 'eth0', 'eth0'],
  );
});

test('the network is told what the runtime wants', async () => {
  const { network, service } = newHost();
  const parameters = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_INFRA_CONTAINER_ID=aaaa;K8S_POD_UID=u-1';
  const dns = { nameservers: ['10.1.0.2'], domain: 'shop.local' };
  const config = { vpc: 'red', subnet: 'front', runtimeConfig: { ips: ['10.1.0.9/16'], mac: '02:00:00:00:00:99' }, dns };
  const result = resultOf(await service.handle(requestOf('ADD', { parameters, config })));
  assert.deepEqual(network.requests, [
    {
      key: keyA,
      netns: '/run/netns/a',
      pod: { namespace: 'shop', name: 'web-1', uid: 'u-1' },
      vpc: 'red',
      subnet: 'front',
      addresses: ['10.1.0.9'],
      mac: '02:00:00:00:00:99',
      labels: {},
      name: undefined,
    },
  ]);
  assert.deepEqual(result['dns'], { ...dns, search: [], options: [] });
});

test('a pod has a name when the configuration says so: of the kubelet, the configuration or CNI_ARGS', async () => {
  const nameOf = async (caravan: object, args: string): Promise<string | undefined> => {
    const { service, network } = newHost();
    resultOf(await service.handle(requestOf('ADD', { config: { caravan }, parameters: args })));
    return network.requests[0]?.name;
  };
  const kubelet = 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=Web-1';
  assert.equal(await nameOf({}, kubelet), undefined);
  assert.equal(await nameOf({ names: true }, kubelet), 'web-1');
  assert.equal(await nameOf({ names: true, name: 'front' }, kubelet), 'front');
  assert.equal(await nameOf({ names: true, name: 'front' }, 'CARAVAN_NAME=back'), 'back');
  assert.equal(await nameOf({ names: true }, ''), undefined);
  assert.equal(await nameOf({ names: true }, 'CARAVAN_NAME=a/b'), undefined);
  for (const wrong of [{ names: 'yes' }, { names: true, name: 'a b' }, { name: 7 }]) {
    const { service } = newHost();
    assert.equal(errorOf(await service.handle(requestOf('ADD', { config: { caravan: wrong } }))).code, cniCode.invalidConfig);
  }
});

test('labels come from the configuration, from the runtime and from CNI_ARGS, which count more and more', async () => {
  const { network, service } = newHost();
  const labels = (app: string, tier?: string): object => ({ caravan: { labels: tier === undefined ? { app } : { app, tier } } });
  const config = { ...labels('one', 'front'), runtimeConfig: labels('two'), args: { ...labels('three'), cni: {} } };
  resultOf(await service.handle(requestOf('ADD', { parameters: 'CARAVAN_LABELS=zone=a,note=x=y', config })));
  assert.deepEqual(network.requests[0]?.labels, { app: 'three', tier: 'front', zone: 'a', note: 'x=y' });
  for (const wrong of [{ caravan: { labels: { app: 1 } } }, { caravan: { labels: { '': 'x' } } }, { caravan: { labels: 'app' } }]) {
    assert.equal(errorOf(await service.handle(requestOf('ADD', { config: wrong }))).code, cniCode.invalidConfig);
  }
  const other = newHost();
  const parameters = 'CARAVAN_LABELS=app';
  assert.equal(errorOf(await other.service.handle(requestOf('ADD', { parameters }))).code, cniCode.invalidEnvironment);
  assert.deepEqual(other.network.requests, []);
});

test('an interface is added once', async () => {
  const { network, service } = newHost();
  resultOf(await service.handle(requestOf('ADD')));
  assert.equal(errorOf(await service.handle(requestOf('ADD'))).code, cniCode.attachmentExists);
  assert.equal(network.interfaces.size, 1);
});

test('an ADD that comes twice while it is under way is one, and has one answer', async () => {
  const { network, service } = newHost();
  const [first, second] = await Promise.all([service.handle(requestOf('ADD')), service.handle(requestOf('ADD'))]);
  assert.deepEqual(second, first);
  assert.equal(network.requests.length, 1);
});

test('another ADD of the same interface, and a DEL, wait for the one under way', async () => {
  const { network, service } = newHost();
  const [added, other, deleted] = await Promise.all([
    service.handle(requestOf('ADD')),
    service.handle(requestOf('ADD', { netns: '/run/netns/other' })),
    service.handle(requestOf('DEL')),
  ]);
  resultOf(added);
  assert.equal(errorOf(other).code, cniCode.attachmentExists);
  assert.equal(deleted.exitStatus, 0);
  assert.equal(network.interfaces.size, 0);
});

test('what fails half way is deleted again, and the runtime is told why it failed', async () => {
  const { network, journal, service } = newHost();
  network.step = (name): void => {
    if (name === 'added') throw new CniError(cniCode.tryAgain, 'no address is free', 'subnet front');
  };
  const { code, msg, details } = errorOf(await service.handle(requestOf('ADD')));
  assert.deepEqual([code, msg, details], [cniCode.tryAgain, 'no address is free', 'subnet front']);
  assert.equal(network.interfaces.size, 0);
  network.step = (name): void => {
    if (name === 'added') throw new WeatherError('netlink', 'the kernel refused', { remedy: 'look at it' });
  };
  assert.deepEqual(errorOf(await service.handle(requestOf('ADD'))), {
    cniVersion: '1.1.0',
    code: cniCode.ioFailure,
    msg: 'the kernel refused',
    details: 'netlink: look at it',
  });
  network.step = (name): void => {
    if (name === 'added') throw new TypeError('undefined is no function');
  };
  assert.equal(errorOf(await service.handle(requestOf('ADD'))).code, cniCode.internal);
  assert.equal(network.interfaces.size, 0);
  assert.deepEqual(new AttachmentTable(journal.records).states(), []);
});

test('what cannot be deleted stays in the journal until it can', async () => {
  const { network, service } = newHost();
  let deleting = 0;
  network.step = (name): void => {
    if (name === 'added') throw new CniError(cniCode.ioFailure, 'no');
    if (name === 'delete' && deleting++ === 0) throw new WeatherError('netlink', 'not now');
  };
  assert.equal(errorOf(await service.handle(requestOf('ADD'))).msg, 'no');
  assert.equal(network.interfaces.size, 1);
  assert.equal(service.records().length, 1);
  network.step = (): void => undefined;
  // The next ADD begins with the remains.
  resultOf(await service.handle(requestOf('ADD')));
  assert.equal(network.interfaces.size, 1);
});

test('without a journal nothing is added, and what cannot be written at the end is undone', async () => {
  const { network, journal, service } = newHost();
  journal.step = (): void => {
    throw new WeatherError('disk-full', 'the disk is full');
  };
  assert.equal(errorOf(await service.handle(requestOf('ADD'))).code, cniCode.ioFailure);
  assert.equal(network.requests.length, 0);
  assert.deepEqual(service.records(), []);
  journal.step = ({ record }): void => {
    if (record === 'added') throw new WeatherError('disk-full', 'the disk is full');
  };
  assert.equal(errorOf(await service.handle(requestOf('ADD'))).code, cniCode.ioFailure);
  assert.equal(network.interfaces.size, 0);
});

test('CHECK tells what is not as it was made', async () => {
  const { network, service } = newHost();
  const prevResult = resultOf(await service.handle(requestOf('ADD')));
  const check = async (previous: object | undefined, key = keyA): Promise<{ code: number; msg: string }> =>
    errorOf(await service.handle(requestOf('CHECK', { key, config: previous === undefined ? {} : { prevResult: previous } })));
  assert.equal((await check(undefined)).code, cniCode.invalidConfig);
  assert.equal((await check(prevResult, keyB)).code, cniCode.unknownContainer);
  assert.match((await check({ ...prevResult, interfaces: [] })).msg, /no interface eth0/);
  const [host, container] = prevResult['interfaces'] as object[];
  assert.match((await check({ ...prevResult, interfaces: [host, { ...container, mac: '02:00:00:00:00:ff' }] })).msg, /MAC/);
  assert.match((await check({ ...prevResult, ips: [] })).msg, /lacks the address 10\.1\.0\.2\/16/);
  network.interfaces.clear();
  assert.equal((await check(prevResult)).code, cniCode.checkFailed);
});

test('STATUS says whether pods can be added', async () => {
  const { network, service } = newHost();
  assert.deepEqual(await service.handle(requestOf('STATUS', { netns: '' })), { exitStatus: 0, text: '' });
  network.status_ = { ready: false, reason: 'no owner answers', containers: 'unharmed' };
  assert.equal(errorOf(await service.handle(requestOf('STATUS'))).code, cniCode.notAvailable);
  network.status_ = { ready: false, reason: 'no owner answers', containers: 'limited' };
  assert.equal(errorOf(await service.handle(requestOf('STATUS'))).code, cniCode.limitedConnectivity);
  for (const command of ['STATUS', 'GC']) {
    const { code, cniVersion } = errorOf(await service.handle(requestOf(command, { version: '1.0.0' })));
    assert.deepEqual([code, cniVersion], [cniCode.incompatibleVersion, '1.0.0']);
  }
});

test('GC deletes what is not to be kept, of its own network and of nobody, and goes on past errors', async () => {
  const { network, service } = newHost();
  const key = (containerId: string): typeof keyA => ({ containerId, ifname: 'eth0' });
  for (const id of ['kept', 'stale', 'stuck']) resultOf(await service.handle(requestOf('ADD', { key: key(id) })));
  resultOf(await service.handle(requestOf('ADD', { key: key('other'), config: { name: 'storage' } })));
  network.interfaces.set('orphan eth0', { key: key('orphan'), netns: '/run/netns/o', attachment: undefined });
  network.step = (name, which): void => {
    if (name === 'delete' && which?.containerId === 'stuck') throw new WeatherError('netlink', 'busy');
  };
  const { code, msg, details } = errorOf(await service.handle(requestOf('GC', { config: gcConfig(key('kept')) })));
  assert.deepEqual([code, msg, details], [cniCode.incompleteCollection, '1 of 3 could not be deleted', 'stuck eth0: busy']);
  assert.deepEqual([...network.interfaces.keys()].toSorted(), ['kept eth0', 'other eth0', 'stuck eth0']);
  network.step = (): void => undefined;
  assert.equal((await service.handle(requestOf('GC', { config: gcConfig(key('kept')) }))).exitStatus, 0);
  assert.deepEqual([...network.interfaces.keys()].toSorted(), ['kept eth0', 'other eth0']);
  assert.equal(errorOf(await service.handle(requestOf('GC'))).code, cniCode.invalidConfig);
  assert.equal(network.interfaces.size, 2);
});

test('GC leaves alone what is added while it looks', async () => {
  const { network, service } = newHost();
  let adding: Promise<CniReply> | undefined;
  network.step = async (name): Promise<void> => {
    if (name !== 'list' || adding !== undefined) return;
    adding = service.handle(requestOf('ADD', { key: keyA }));
    resultOf(await service.handle(requestOf('ADD', { key: keyB })));
  };
  assert.equal((await service.handle(requestOf('GC', { config: gcConfig() }))).exitStatus, 0);
  assert.ok(adding !== undefined);
  resultOf(await adding);
  assert.deepEqual([...network.interfaces.keys()].toSorted(), ['aaaa eth0', 'bbbb eth0']);
});

const malformed: readonly (readonly [string, Uint8Array, number])[] = [
  ['no JSON', new TextEncoder().encode('{'), cniCode.decodingFailure],
  ['no object', new TextEncoder().encode('[]'), cniCode.decodingFailure],
  ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), cniCode.decodingFailure],
  ['no members', new TextEncoder().encode('{}'), cniCode.invalidConfig],
  ['a configuration that is no JSON', new TextEncoder().encode('{"env":{"CNI_COMMAND":"STATUS"},"config":"{"}'), cniCode.decodingFailure],
  ['no configuration', new TextEncoder().encode('{"env":{"CNI_COMMAND":"STATUS"},"config":""}'), cniCode.decodingFailure],
  ['a deep configuration', requestOf('ADD', { config: { deep: nested(40) } }), cniCode.decodingFailure],
  ['an unknown command', requestOf('UPDATE'), cniCode.invalidEnvironment],
  ['ADD without a namespace', requestOf('ADD', { netns: '' }), cniCode.invalidEnvironment],
  ['a relative namespace', requestOf('ADD', { netns: 'netns/a' }), cniCode.invalidEnvironment],
  ['DEL without a container', requestOf('DEL', { key: { containerId: '', ifname: 'eth0' } }), cniCode.invalidEnvironment],
  ['a container id with a slash', requestOf('ADD', { key: { containerId: 'a/b', ifname: 'eth0' } }), cniCode.invalidEnvironment],
  ['a container id that begins with a dot', requestOf('ADD', { key: { containerId: '.a', ifname: 'eth0' } }), cniCode.invalidEnvironment],
  ['a long container id', requestOf('ADD', { key: { containerId: 'a'.repeat(257), ifname: 'eth0' } }), cniCode.invalidEnvironment],
  ...['..', 'a/b', 'a:b', 'a b', 'a\tb', 'sixteen-letters-', 'ääääääää', 'a\0b'].map(
    (ifname) =>
      [`the interface name ${JSON.stringify(ifname)}`, requestOf('ADD', { key: { ...keyA, ifname } }), cniCode.invalidEnvironment] as const,
  ),
  ['arguments that are no pairs', requestOf('ADD', { parameters: 'IgnoreUnknown' }), cniCode.invalidEnvironment],
  ['version 0.3.1', requestOf('ADD', { version: '0.3.1' }), cniCode.incompatibleVersion],
  ['no version', requestOf('ADD', { config: { cniVersion: null } }), cniCode.incompatibleVersion],
  ['no name', requestOf('ADD', { config: { name: '' } }), cniCode.invalidConfig],
  ['ipam', requestOf('ADD', { config: { ipam: { type: 'host-local' } } }), cniCode.unsupportedField],
  ['masquerading', requestOf('ADD', { config: { ipMasq: true } }), cniCode.unsupportedField],
  ['interfaces that are no list', requestOf('ADD', { config: { prevResult: { interfaces: {} } } }), cniCode.invalidConfig],
  ['addresses that are no texts', requestOf('ADD', { config: { runtimeConfig: { ips: [4] } } }), cniCode.invalidConfig],
  [
    'attachments that break the rules',
    requestOf('GC', { config: gcConfig({ containerId: 'a', ifname: 'x'.repeat(16) }) }),
    cniCode.invalidConfig,
  ],
];

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

for (const [what, request, code] of malformed) {
  test(`refused with code ${code}: ${what}`, async () => {
    const { network, journal, service } = newHost();
    assert.equal(errorOf(await service.handle(request)).code, code);
    assert.equal(network.requests.length, 0);
    assert.equal(journal.records.length, 0);
  });
}

test('VERSION needs no configuration', async () => {
  const { service } = newHost();
  const bare = new TextEncoder().encode('{"env":{"CNI_COMMAND":"VERSION"},"config":""}');
  assert.deepEqual(resultOf(await service.handle(bare)), { cniVersion: '1.1.0', supportedVersions });
  assert.equal(resultOf(await service.handle(requestOf('VERSION', { version: '0.3.1' })))['cniVersion'], '0.3.1');
});

test('any octets get an answer, and nothing is done for most of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      async (bytes) => {
        const { network, service } = newHost();
        assert.equal(typeof errorOf(await service.handle(bytes)).code, 'number');
        assert.equal(network.requests.length, 0);
      },
    ),
    { numRuns: 300 },
  );
});

/** One step of a life: calls at once, with what fails in the network and where the daemon dies. */
const calls = fc.array(
  fc.record({
    command: fc.constantFrom('ADD', 'ADD', 'DEL', 'GC'),
    container: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 6 },
);
const life = fc.array(fc.record({ calls, failures: fc.array(fc.boolean(), { maxLength: 12 }), diesAt: fc.option(fc.nat(20)) }), {
  maxLength: 5,
});

test('whatever fails and whenever the daemon dies, journal and host agree after the next start', async () => {
  await fc.assert(
    fc.asyncProperty(life, async (steps) => {
      const network = new MemoryPodNetwork();
      const journal = new MemoryJournal();
      for (const { calls: at, failures, diesAt } of steps) {
        let moment = 0;
        let died: () => void = () => undefined;
        const death = new Promise<void>((resolve) => (died = resolve));
        // A daemon that is dead does nothing more: its next step never comes.
        const live = (): Promise<void> | undefined => {
          if (diesAt === null || moment++ < diesAt) return undefined;
          died();
          return new Promise(() => undefined);
        };
        network.step = (): unknown => {
          const stop = live();
          if (stop === undefined && failures.at(moment % 13) === true) throw new WeatherError('netlink', 'no');
          return stop;
        };
        journal.step = live;
        const service = new CniService({
          network,
          journal,
          records: parseJournal(journal.records.map(formatRecord).join('')),
          log: silentLogger,
        });
        const replies = at.map(async ({ command, container }) =>
          service.handle(
            requestOf(command, { key: { containerId: `c${container}`, ifname: 'eth0' }, config: command === 'GC' ? gcConfig() : {} }),
          ),
        );
        await Promise.race([death, Promise.all(replies)]);
        // What was under way at that moment ends, up to the next step of each.
        for (let turn = 0; turn < 3; turn++) await turnOfTheLoop();
        network.forgetBusy();
        network.step = (): void => undefined;
        journal.step = (): void => undefined;
        const next = new CniService({
          network,
          journal,
          records: parseJournal(journal.records.map(formatRecord).join('')),
          log: silentLogger,
        });
        assert.deepEqual(await next.recover(), []);
        const states = new AttachmentTable(journal.records).states();
        assert.deepEqual(
          states.map(({ key, phase }) => [`${key.containerId} ${key.ifname}`, phase]).toSorted(),
          [...network.interfaces.keys()].map((key) => [key, 'added']).toSorted(),
        );
        assert.equal(new Set(network.addresses()).size, network.interfaces.size * 2);
      }
    }),
    { numRuns: 200 },
  );
});
