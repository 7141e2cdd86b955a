import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { farRouterId, nearRouterId } from '../certificates.ts';
import { freePorts } from '../network.ts';
import { backendPort } from './target.ts';
import type { RouterCertificate } from '../certificates.ts';
import type { Service, Target, TargetContext } from './target.ts';

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

/** Requests that one server gets at a time: more than any load has connections. */
const maxRequests = 10_000;

/** Type, address and attributes of a listener and a connector. */
interface Pair {
  readonly kind: 'tcp' | 'http' | 'udp';
  readonly address: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** The entities that make each service. */
const pairs: Readonly<Record<Service, readonly Pair[]>> = {
  tcp: [{ kind: 'tcp', address: 'tcp', attributes: {} }],
  bulk: [{ kind: 'tcp', address: 'bulk', attributes: {} }],
  http1: [{ kind: 'http', address: 'http1', attributes: {} }],
  http2: [{ kind: 'http', address: 'http2', attributes: { protocol: 'http2' } }],
  datagrams: [
    { kind: 'udp', address: 'datagrams', attributes: {} },
    { kind: 'tcp', address: 'datagrams-control', attributes: {} },
  ],
};

/**
 * Two routers with the same entities whatever the program: the near one dials the far one with mutual TLS and has the
 * listeners, the far one has the connectors to the backends. `command` says how to run a router with a configuration file. AMQP clients can
 * connect to `clientPort` of the near one.
 */
export async function startRouterPair(
  name: string,
  services: readonly Service[],
  context: TargetContext,
  command: (side: string, configurationFile: string) => readonly string[],
  clientPort?: number,
): Promise<Target> {
  const { near, far, rootFile } = context.certificates;
  const [linkPort, ...servicePorts] = (await freePorts(1 + services.length)) as [number, ...number[]];
  const ports: Partial<Record<Service, number>> = {};
  for (const [index, service] of services.entries()) ports[service] = servicePorts[index] as number;
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
    ...services.flatMap((service) =>
      pairs[service].map(({ kind, address, attributes }): Entity => {
        const limit = kind === 'http' ? { maxRequests } : {};
        return [`${kind}Connector`, { name: address, address, host, port: backendPort(service, context), ...limit, ...attributes }];
      }),
    ),
  ]);
  const nearProcess = await start('near', [
    ...common(nearRouterId, near, rootFile),
    // By name: skupper-router compares a connector's host with the certificate's DNS names only.
    ['connector', { name: 'far', role: 'inter-router', host: 'localhost', port: linkPort, ...trust }],
    ...(clientPort === undefined ? [] : [['listener', { name: 'clients', role: 'normal', host, port: clientPort }] as const]),
    ...services.flatMap((service) =>
      pairs[service].map(({ kind, address, attributes }): Entity => [
        `${kind}Listener`,
        { name: address, address, host, port: ports[service] as number, ...attributes },
      ]),
    ),
  ]);
  return { name, ports, routers: [nearProcess, farProcess] };
}
