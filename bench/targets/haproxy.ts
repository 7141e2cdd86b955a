import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import { freePorts } from '../network.ts';
import { findProgram } from '../tools.ts';
import type { RouterCertificate } from '../certificates.ts';
import { backendPort } from './target.ts';
import type { Service, TargetKind } from './target.ts';

interface Proxy {
  readonly service: Service;
  readonly listen: string;
  readonly server: string;
}

/** Threads are HAProxy's default, one per core; the timeouts are longer than any run. */
function configuration(proxies: readonly Proxy[]): string {
  const lines = ['global', '  maxconn 8000', 'defaults', '  timeout connect 5s', '  timeout client 1h', '  timeout server 1h'];
  for (const { service, listen, server } of proxies) {
    const mode = service === 'http1' || service === 'http2' ? 'http' : 'tcp';
    lines.push(`listen ${service}`, `  mode ${mode}`);
    // Connections to servers are shared by all clients, as far as HAProxy holds that to be safe.
    if (mode === 'http') lines.push('  timeout http-keep-alive 1h', '  option forwardfor', '  http-reuse always');
    lines.push(`  bind ${listen}`, `  server next ${server}`);
  }
  return `${lines.join('\n')}\n`;
}

function tls(certificate: RouterCertificate, rootFile: string): string {
  return `ssl crt ${certificate.bundleFile} ca-file ${rootFile} verify required ssl-min-ver TLSv1.3`;
}

const services: readonly Service[] = ['tcp', 'bulk', 'http1', 'http2'];

/**
 * Two HAProxy processes with mutual TLS 1.3 between them. TCP: one TLS connection for each client connection, where the routers
 * multiplex all clients over few. HTTP/1.1 and HTTP/2: its proxy for HTTP, the same protocol all the way.
 */
export const haproxy: TargetKind = {
  name: 'haproxy',
  services,
  describe: async (processes) => {
    const version = await processes.run('haproxy', [findProgram('haproxy') as string, '-v'], { timeoutMs: 5000 });
    return `${version.split('\n')[0]}; mutual TLS 1.3; mode tcp: one TLS connection per client connection; HTTP: mode http, http-reuse always; nbthread ${cpus().length} (default)`;
  },
  missing: () => (findProgram('haproxy') === undefined ? 'haproxy is not installed (Debian: apt install haproxy)' : undefined),
  start: async (context) => {
    const program = findProgram('haproxy') as string;
    const { near, far, rootFile } = context.certificates;
    const free = await freePorts(2 * services.length);
    const ports: Partial<Record<Service, number>> = {};
    const nearProxies: Proxy[] = [];
    const farProxies: Proxy[] = [];
    for (const service of services) {
      const [port, linkPort] = free.splice(0, 2) as [number, number];
      ports[service] = port;
      const plain = service === 'http2' ? ' proto h2' : '';
      const alpn = service === 'http2' ? ' alpn h2' : '';
      const address = (number: number): string => `127.0.0.1:${number}`;
      nearProxies.push({ service, listen: address(port) + plain, server: `${address(linkPort)} ${tls(near, rootFile)}${alpn}` });
      farProxies.push({
        service,
        listen: `${address(linkPort)} ${tls(far, rootFile)}${alpn}`,
        server: address(backendPort(service, context)) + plain,
      });
    }
    const start = async (name: string, proxies: readonly Proxy[]) => {
      const file = join(context.directory, `${name}.cfg`);
      await writeFile(file, configuration(proxies));
      return await context.processes.start(`haproxy ${name}`, [program, '-db', '-f', file]);
    };
    const farProcess = await start('far', farProxies);
    return { name: 'haproxy', ports, routers: [await start('near', nearProxies), farProcess] };
  },
};
