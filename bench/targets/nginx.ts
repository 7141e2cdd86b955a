import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import type { RouterCertificate } from '../certificates.ts';
import { openPath } from '../http-paths.ts';
import { freePorts } from '../network.ts';
import { findProgram } from '../tools.ts';
import type { TargetKind } from './target.ts';

/** Connections to the next server that each worker keeps; more than any load has. */
const keptConnections = 512;

/** One `server` block with its way to the next server. */
interface Proxy {
  readonly service: 'http1' | 'http2';
  readonly listen: string;
  readonly server: string;
}

/** Workers: one per core. Nothing is logged and no answer is written to a file. */
function configuration(prefix: string, proxies: readonly Proxy[], serverTls: readonly string[], clientTls: readonly string[]): string {
  const lines = [
    'daemon off;',
    `worker_processes ${cpus().length};`,
    'error_log stderr crit;',
    `pid ${prefix}.pid;`,
    'events { worker_connections 8000; }',
    'http {',
    '  access_log off;',
    '  keepalive_timeout 1h;',
    '  keepalive_requests 1000000000;',
    '  proxy_read_timeout 1h;',
    '  grpc_read_timeout 1h;',
    '  proxy_max_temp_file_size 0;',
    '  client_max_body_size 0;',
  ];
  for (const kind of ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) lines.push(`  ${kind}_temp_path ${prefix}-${kind};`);
  for (const { service, listen, server } of proxies) {
    const keep = `keepalive ${keptConnections}; keepalive_requests 1000000000; keepalive_timeout 1h;`;
    const secure = clientTls.length > 0 ? 's' : '';
    lines.push(
      `  upstream ${service} { server ${server}; ${keep} }`,
      `  server {`,
      `    listen ${listen};`,
      ...serverTls.map((line) => `    ${line}`),
      '    location / {',
    );
    if (service === 'http1') {
      const way = [
        `      proxy_pass http${secure}://http1;`,
        '      proxy_http_version 1.1;',
        '      proxy_set_header Connection "";',
        '      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
        '      proxy_set_header Host $host;',
        ...clientTls.map((line) => `      proxy_${line}`),
      ];
      // An answer that goes on is passed on as it comes; for the others that would only cost.
      lines.push(...way, '    }', `    location ${openPath} {`, ...way, '      proxy_buffering off;');
    } else lines.push(`      grpc_pass grpc${secure}://http2;`, ...clientTls.map((line) => `      grpc_${line}`));
    lines.push('    }', '  }');
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function serverTls(certificate: RouterCertificate, rootFile: string): string[] {
  return [
    `ssl_certificate ${certificate.certificateFile};`,
    `ssl_certificate_key ${certificate.privateKeyFile};`,
    `ssl_client_certificate ${rootFile};`,
    'ssl_verify_client on;',
    'ssl_protocols TLSv1.3;',
  ];
}

/** Directives that begin with `proxy_` or `grpc_`. */
function clientTls(certificate: RouterCertificate, rootFile: string): string[] {
  return [
    `ssl_certificate ${certificate.certificateFile};`,
    `ssl_certificate_key ${certificate.privateKeyFile};`,
    `ssl_trusted_certificate ${rootFile};`,
    'ssl_verify on;',
    'ssl_name localhost;',
    'ssl_protocols TLSv1.3;',
  ];
}

/** Two nginx as proxies for HTTP with mutual TLS 1.3 between them, connections to the next server kept. */
export const nginx: TargetKind = {
  name: 'nginx',
  services: ['http1', 'http2'],
  describe: async () => `nginx as a proxy for HTTP, mutual TLS 1.3, worker_processes ${cpus().length}; HTTP/2 with grpc_pass`,
  missing: () => (findProgram('nginx') === undefined ? 'nginx is not installed (Debian: apt install nginx)' : undefined),
  start: async (context) => {
    const program = findProgram('nginx') as string;
    const { near, far, rootFile } = context.certificates;
    const free = (await freePorts(4)) as [number, number, number, number];
    const [http1, http2, http1Link, http2Link] = free.map((port) => `127.0.0.1:${port}`) as [string, string, string, string];
    const start = async (name: string, text: string) => {
      const file = join(context.directory, `${name}.conf`);
      await writeFile(file, text);
      // It opens its compiled-in error log before it reads where errors go.
      return await context.processes.start(`nginx ${name}`, [program, '-e', 'stderr', '-p', context.directory, '-c', file]);
    };
    const farProxies: Proxy[] = [
      { service: 'http1', listen: `${http1Link} ssl`, server: `127.0.0.1:${context.httpBackendPort}` },
      { service: 'http2', listen: `${http2Link} ssl http2`, server: `127.0.0.1:${context.http2BackendPort}` },
    ];
    const nearProxies: Proxy[] = [
      { service: 'http1', listen: http1, server: http1Link },
      { service: 'http2', listen: `${http2} http2`, server: http2Link },
    ];
    const farProcess = await start('far', configuration(join(context.directory, 'far'), farProxies, serverTls(far, rootFile), []));
    const nearProcess = await start('near', configuration(join(context.directory, 'near'), nearProxies, [], clientTls(near, rootFile)));
    return { name: 'nginx', ports: { http1: free[0], http2: free[1] }, routers: [nearProcess, farProcess] };
  },
};
