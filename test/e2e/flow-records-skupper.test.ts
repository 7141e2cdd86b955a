import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { Attribute, RecordType } from '../../src/flows/record-types.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { Router } from '../../src/router/router.ts';
import { AmqpPeer } from './amqp-peer.ts';
import type { Inbox } from './amqp-peer.ts';
import { FlowWatch } from './flow-watch.ts';
import { freePort } from './ports.ts';
import { RouterProcess } from './router-process.ts';
import { TcpServer } from './tcp-peer.ts';
import { until } from './until.ts';

const isMissing = spawnSync('skrouterd', ['--version']).status !== 0;
const isAsked = process.env['VAN_TEST_SKROUTERD'] === '1';
const skip = !isAsked ? 'runs when VAN_TEST_SKROUTERD=1' : isMissing ? 'skrouterd (skupper-router) is not on the PATH' : false;
const host = '127.0.0.1';

async function echo(port: number): Promise<void> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  socket.write('hello');
  await once(socket, 'data');
  socket.end();
  await once(socket, 'close');
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}

test('each kind of router sees the records of the other, and adds to them', { skip, timeout: 60_000 }, async () => {
  await using server = await TcpServer.echo();
  const [clientPort, toSkupper, toVan] = [await freePort(), await freePort(), await freePort()];
  const configuration = parseRouterConfiguration(
    JSON.stringify([
      ['router', { id: 'van', mode: 'interior' }],
      ['listener', { name: 'links', role: 'inter-router', host, port: 0, saslMechanisms: 'ANONYMOUS' }],
      ['tcpListener', { name: 'to-skupper', address: 'at-skupper', host, port: toSkupper }],
      ['tcpConnector', { name: 'here', address: 'at-van', host, port: server.port }],
    ]),
    'test',
  );
  await using van = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '0' });
  await van.start();
  const port = van.listener('links')?.state.boundPort ?? 0;
  await using _skupper = await RouterProcess.start({
    id: 'skupper',
    command: ['skrouterd', '-c'],
    ready: /Router started/,
    entities: [
      ['listener', { name: 'clients', role: 'normal', host, port: clientPort, saslMechanisms: 'ANONYMOUS' }],
      ['connector', { name: 'to-van', role: 'inter-router', host, port, saslMechanisms: 'ANONYMOUS' }],
      ['tcpListener', { name: 'van-service', address: 'at-van', host, port: toVan }],
      ['tcpConnector', { name: 'there', address: 'at-skupper', host, port: server.port }],
      ['address', { prefix: 'mc', distribution: 'multicast' }],
    ],
  });
  await until('its port for clients is open', () => accepts(clientPort));
  await using client = await new AmqpPeer(clientPort).opened();
  const beacons = await client.inbox('mc/sfe.all');
  using watch = FlowWatch.ofRouter(van, { detail: true, logs: false });
  await until('its connector is told', () => watch.find(RecordType.connector, { name: 'there' }).length === 1);
  await until('its link names our port', () => {
    const [access] = watch.find(RecordType.routerAccess, { name: 'links' });
    return access !== undefined && watch.find(RecordType.link, { peer: access.get(Attribute.identity) ?? '' }).length === 1;
  });
  await until('the way there is open', () => van.services.port('tcpListener', 'to-skupper')?.state.operStatus === 'up');
  const [router] = watch.find(RecordType.router, { name: '0/van' });
  const address = `mc/sfe.${router?.get(Attribute.identity)}`;
  const records = await client.inbox(address);
  const flows = await client.inbox(`${address}.flows`);
  await until('we hear who listens there', () => van.forwarder.routersOf(`${address}.flows`).length === 1);
  await echo(toSkupper);
  await echo(toVan);
  const [there] = watch.find(RecordType.connector, { name: 'there' });
  const [here] = watch.find(RecordType.connector, { name: 'here' });
  await until('our record has what it adds', () =>
    watch
      .find(RecordType.transportFlow, { connector: there?.get(Attribute.identity) ?? '' })
      .some((flow) => flow.get(Attribute.octets) === 5),
  );
  await until('its record has what we add', () =>
    watch
      .find(RecordType.transportFlow, { connector: here?.get(Attribute.identity) ?? '' })
      .some((flow) => flow.get(Attribute.trace) === '0/skupper'),
  );
  await until('its client hears our beacon', () =>
    beacons.messages.some(({ subject, application_properties: told }) => subject === 'BEACON' && told?.['address'] === address),
  );
  const hears = (inbox: Inbox, wanted: string): boolean => inbox.messages.some(({ subject }) => subject === wanted);
  await until('its client hears our records', () => hears(records, 'HEARTBEAT') && hears(records, 'RECORD'));
  await until('its client hears of our connections', () => hears(flows, 'RECORD'));
  assert.deepEqual(client.errors, []);
});
