import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { farRouterId, nearRouterId } from '../certificates.ts';
import { freePorts } from '../network.ts';
import type { RouterCertificate } from '../certificates.ts';
import type { Target, TargetContext } from './target.ts';

/** One entity of the configuration format that Caravan and skupper-router share. */
type Entity = readonly [type: string, attributes: Readonly<Record<string, string | number | boolean>>];

function common(id: string, certificate: RouterCertificate, rootFile: string): Entity[] {
  return [
    ['router', { id, mode: 'interior' }],
    [
      'sslProfile',
      { name: 'link', caCertFile: rootFile, certFile: certificate.certificateFile, privateKeyFile: certificate.privateKeyFile },
    ],
  ];
}

/**
 * Two routers with the same entities whatever the program: the near one dials the far one with mutual TLS and has the
 * listeners, the far one has the connectors to the backends. `command` says how to run a router with a configuration file.
 */
export async function startRouterPair(
  name: string,
  context: TargetContext,
  command: (side: string, configurationFile: string) => readonly string[],
): Promise<Target> {
  const { near, far, rootFile } = context.certificates;
  const [httpPort, bulkPort, linkPort] = (await freePorts(3)) as [number, number, number];
  const host = '127.0.0.1';
  const trust = { sslProfile: 'link', saslMechanisms: 'EXTERNAL' };
  const start = async (side: string, entities: readonly Entity[]) => {
    const file = join(context.directory, `${side}.json`);
    await writeFile(file, JSON.stringify(entities, undefined, 2));
    return await context.processes.start(`${name} ${side}`, command(side, file));
  };
  const farProcess = await start('far', [
    ...common(farRouterId, far, rootFile),
    ['listener', { name: 'links', role: 'inter-router', host, port: linkPort, ...trust, authenticatePeer: true }],
    ['tcpConnector', { name: 'http', address: 'http', host, port: context.httpBackendPort }],
    ['tcpConnector', { name: 'bulk', address: 'bulk', host, port: context.bulkBackendPort }],
  ]);
  const nearProcess = await start('near', [
    ...common(nearRouterId, near, rootFile),
    // By name: skupper-router compares a connector's host with the certificate's DNS names only.
    ['connector', { name: 'far', role: 'inter-router', host: 'localhost', port: linkPort, ...trust }],
    ['tcpListener', { name: 'http', address: 'http', host, port: httpPort }],
    ['tcpListener', { name: 'bulk', address: 'bulk', host, port: bulkPort }],
  ]);
  return { name, httpPort, bulkPort, routers: [nearProcess, farProcess] };
}
