import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../rig/clock.ts';
import { labMissing } from '../rig/lab.ts';
import type { Lab } from '../rig/lab.ts';
import { Backend, Load, backendPort } from '../rig/load.ts';
import { run as runCommand } from '../rig/program.ts';
import { caravan } from '../rig/router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from '../rig/routers.ts';
import type { FaultRouter } from '../rig/routers.ts';
import { waitUntilServed } from '../rig/served.ts';
import { Streams, echoPort, startEcho } from '../rig/streams.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const ratePerSecond = 200;
const streamCount = 20;
const streamBytesPerSecond = 20_000;
const servicePort = 8000;
const echoServicePort = 8001;
const servedCertificate = join(import.meta.dirname, '../programs/served-certificate.ts');

/** New key and certificate for one router, used from the answer on. */
async function rotate(network: RouterNetwork, router: FaultRouter, ordinal: number): Promise<string> {
  const { certificateFile, keyFile } = await network.authority.issue(router.id, { fileName: `${router.id}-${ordinal}` });
  const attributes = { certFile: certificateFile, privateKeyFile: keyFile, ordinal };
  await router.manage('UPDATE', 'sslProfile', { name: 'links', attributes });
  return certificateFile;
}

async function run(context: RowContext): Promise<Measured> {
  const rotations = context.fast ? 7 : 20;
  const everyMs = 3000;
  await using lab: Lab = await context.lab([['a', 'b']]);
  const backend = await Backend.start(lab, 'b');
  await startEcho(lab, 'b');
  const network = await RouterNetwork.start(lab, caravan, [
    { name: 'a', dials: ['b'], entities: [serviceListener('service', servicePort), serviceListener('echo', echoServicePort)] },
    { name: 'b', entities: [serviceConnector('service', backendPort), serviceConnector('echo', echoPort)] },
  ]);
  const [a, b] = [network.router('a'), network.router('b')];
  await Promise.all([a.uses([b]), b.uses([a])]);
  await waitUntilServed(lab, 'a', servicePort);
  await waitUntilServed(lab, 'a', echoServicePort);
  const load = await Load.start(lab, 'a', { ports: [servicePort], ratePerSecond });
  const streams = await Streams.start(lab, 'a', [echoServicePort], streamCount, streamBytesPerSecond);
  await sleep(1000);
  const startMs = monotonicMs();
  let notServed = 0;
  for (let rotation = 1; rotation <= rotations; rotation++) {
    context.signal.throwIfAborted();
    const [, file] = await Promise.all([a, b].map(async (router) => await rotate(network, router, rotation)));
    const command = [process.execPath, servedCertificate, lab.address('b', 'a'), '5671'];
    const served = (await runCommand(lab.on('a', command))).trim();
    if (new X509Certificate(await readFile(file)).serialNumber !== served) notServed++;
    await sleep(Math.max(0, startMs + rotation * everyMs - monotonicMs()));
  }
  const [reports, records] = [await streams.stop(), await load.stop([backend])];
  const summary = records.summary();
  return {
    figures: [
      { name: 'streams cut', value: reports.filter(({ cut }) => cut !== undefined).length, unit: '', floor: 0 },
      {
        name: 'streams with other octets',
        value: reports.filter(({ cut, exact }) => cut === undefined && !exact).length,
        unit: '',
        floor: 0,
      },
      { name: 'requests failed', value: summary.failed, unit: '', floor: 0 },
      { name: 'rotations without the new certificate at the link port', value: notServed, unit: '', floor: 0 },
    ],
    detail: {
      rotations,
      streams: streamCount,
      streamBytes: reports.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      ...summary,
    },
  };
}

export const certificateRotation: Row = {
  id: 'D2',
  title: '20 certificate rotations in 60 s with 20 hashed streams and 200 requests/s',
  floor: 'nothing dropped',
  goal: 'nothing dropped, no octet other',
  fast: true,
  shortened: '7 rotations',
  limitSeconds: { full: 150, fast: 60 },
  missing: labMissing,
  run,
};
