import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import { freePorts } from '../network.ts';
import { findProgram } from '../tools.ts';
import type { RouterCertificate } from '../certificates.ts';
import type { TargetKind } from './target.ts';

interface Service {
  readonly name: string;
  readonly listen: string;
  readonly server: string;
}

/** A TCP proxy for every service. Threads are HAProxy's default, one per core; the timeouts are longer than any run. */
function configuration(services: readonly Service[]): string {
  const lines = [
    'global',
    '  maxconn 8000',
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1h',
    '  timeout server 1h',
  ];
  for (const service of services) lines.push(`listen ${service.name}`, `  bind ${service.listen}`, `  server next ${service.server}`);
  return `${lines.join('\n')}\n`;
}

function tls(certificate: RouterCertificate, rootFile: string): string {
  return `ssl crt ${certificate.bundleFile} ca-file ${rootFile} verify required ssl-min-ver TLSv1.3`;
}

/**
 * Two HAProxy processes doing TCP over mutual TLS 1.3: one TLS connection for each client connection, where the routers
 * multiplex all clients over few.
 */
export const haproxy: TargetKind = {
  name: 'haproxy',
  describe: async (processes) => {
    const version = await processes.run('haproxy', [findProgram('haproxy') as string, '-v'], { timeoutMs: 5000 });
    return `${version.split('\n')[0]}; mode tcp, mutual TLS 1.3, one TLS connection per client connection, nbthread ${cpus().length} (default)`;
  },
  missing: () => (findProgram('haproxy') === undefined ? 'haproxy is not installed (Debian: apt install haproxy)' : undefined),
  start: async (context) => {
    const program = findProgram('haproxy') as string;
    const { near, far, rootFile } = context.certificates;
    const [httpPort, bulkPort, httpLinkPort, bulkLinkPort] = (await freePorts(4)) as [number, number, number, number];
    const start = async (name: string, services: readonly Service[]) => {
      const file = join(context.directory, `${name}.cfg`);
      await writeFile(file, configuration(services));
      return await context.processes.start(`haproxy ${name}`, [program, '-db', '-f', file]);
    };
    const address = (port: number): string => `127.0.0.1:${port}`;
    const farProcess = await start('far', [
      { name: 'http', listen: `${address(httpLinkPort)} ${tls(far, rootFile)}`, server: address(context.httpBackendPort) },
      { name: 'bulk', listen: `${address(bulkLinkPort)} ${tls(far, rootFile)}`, server: address(context.bulkBackendPort) },
    ]);
    const nearProcess = await start('near', [
      { name: 'http', listen: address(httpPort), server: `${address(httpLinkPort)} ${tls(near, rootFile)}` },
      { name: 'bulk', listen: address(bulkPort), server: `${address(bulkLinkPort)} ${tls(near, rootFile)}` },
    ]);
    return { name: 'haproxy', httpPort, bulkPort, routers: [nearProcess, farProcess] };
  },
};
