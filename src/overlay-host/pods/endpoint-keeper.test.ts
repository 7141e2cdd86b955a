import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { noNetworks, type Networks } from '../../overlay/catalog/networks.ts';
import type { JournalRecord } from '../../overlay/cni/journal.ts';
import { addressHex } from '../../overlay/control/address.ts';
import type { Endpoint } from '../../overlay/resources/tenant-network.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import { StateStore } from '../store/state-store.ts';

const web: Endpoint = {
  name: 'web',
  vpc: 'red',
  subnet: 'front',
  addresses: [addressHex('10.0.0.5')],
  mac: '020000000001',
  host: 'one',
  netns: '/run/netns/web',
  ifname: 'eth0',
  forward: [],
  offer: [],
  labels: { app: 'web' },
};

/** A host with interfaces that are only written down. */
class Host {
  readonly calls: string[] = [];
  readonly records = new Map<string, object>();
  readonly attachments: JournalRecord[] = [];
  readonly labels = new Map<string, object>();
  readonly store: StateStore;
  endpoints: Endpoint[] = [];
  failure: string | undefined;
  isBroken = false;

  constructor(store: StateStore) {
    this.store = store;
  }

  keeper(): EndpointKeeper {
    return new EndpointKeeper({
      hostName: 'one',
      networks: (): Networks => ({ ...noNetworks, endpoints: this.endpoints }),
      call: (request) => Promise.resolve(this.#call(new TextDecoder().decode(request))),
      attachments: () => this.attachments,
      check: () => (this.isBroken ? Promise.reject(new WeatherError('gone', 'it is gone')) : Promise.resolve()),
      relabel: ({ containerId }, labels) => void this.labels.set(containerId, labels),
      joined: undefined,
      store: this.store,
      record: (key, value) => void (value === undefined ? this.records.delete(key) : this.records.set(key, value)),
      log: silentLogger,
    });
  }

  #call(text: string): { exitStatus: 0 | 1; text: string } {
    const { env, config } = JSON.parse(text) as { env: Record<string, string>; config: string };
    const { CNI_COMMAND: command, CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '' } = env;
    this.calls.push(`${command} ${containerId} ${env['CNI_NETNS']}`);
    const at = this.attachments.findIndex(({ key }) => key.containerId === containerId);
    if (at !== -1) this.attachments.splice(at, 1);
    if (command !== 'ADD') return { exitStatus: 0, text: '' };
    if (this.failure !== undefined) return { exitStatus: 1, text: JSON.stringify({ msg: this.failure, details: 'why' }) };
    const { runtimeConfig, caravan } = JSON.parse(config) as { runtimeConfig: { ips: string[]; mac: string }; caravan: object };
    assert.deepEqual(caravan, { labels: { app: 'web' } });
    const container = { name: ifname, mac: runtimeConfig.mac, mtu: 1400 };
    const addresses = runtimeConfig.ips.map((address) => ({ address: `${address}/24`, gateway: undefined }));
    const attachment = { host: container, container, addresses, routes: [], dns: undefined };
    this.attachments.push({ record: 'added', key: { containerId, ifname }, attachment });
    return { exitStatus: 0, text: '{}' };
  }
}

async function hostFor(context: TestContext): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), 'overlay-keeper-'));
  const store = await StateStore.open(folder, silentLogger);
  context.after(async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return new Host(store);
}

/** One look of a new keeper: what it does before it waits. */
async function look(host: Host): Promise<void> {
  await using keeper = host.keeper();
  keeper.act();
  await sleep(20);
}

test('an endpoint of this host is made once, also over starts, and goes with its resource', async (context) => {
  const host = await hostFor(context);
  host.endpoints = [web, { ...web, name: 'other', host: 'two' }, { ...web, name: 'reserved', netns: undefined }];
  await look(host);
  await look(host);
  assert.deepEqual(host.calls, ['ADD caravan-endpoint-web /run/netns/web']);
  assert.deepEqual([...host.records], [['placed/web', { host: 'one', addresses: ['10.0.0.5'], mac: '02:00:00:00:00:01' }]]);
  host.endpoints = [];
  await look(host);
  await look(host);
  assert.deepEqual(host.calls.slice(1), ['DEL caravan-endpoint-web /run/netns/web']);
  assert.deepEqual([...host.records], []);
});

test('one that has changed, or is not as it was made, is made anew', async (context) => {
  const host = await hostFor(context);
  host.endpoints = [web];
  await look(host);
  host.endpoints = [{ ...web, addresses: [addressHex('10.0.0.6')] }];
  await look(host);
  host.isBroken = true;
  await look(host);
  assert.deepEqual(
    host.calls.map((call) => call.slice(0, 3)),
    ['ADD', 'DEL', 'ADD', 'DEL', 'ADD'],
  );
});

test('labels change without the interface', async (context) => {
  const host = await hostFor(context);
  host.endpoints = [web];
  await look(host);
  host.endpoints = [{ ...web, labels: { app: 'db' } }];
  await look(host);
  assert.deepEqual(host.calls.length, 1);
  assert.deepEqual([...host.labels], [['caravan-endpoint-web', { app: 'db' }]]);
});

test('what fails is told, and tried again', async (context) => {
  const host = await hostFor(context);
  host.endpoints = [web];
  host.failure = 'no such namespace';
  await look(host);
  assert.deepEqual(host.records.get('placed/web'), { host: 'one', addresses: [], mac: '', problem: 'no such namespace (why)' });
  host.failure = undefined;
  await look(host);
  assert.deepEqual(host.records.get('placed/web'), { host: 'one', addresses: ['10.0.0.5'], mac: '02:00:00:00:00:01' });
});
