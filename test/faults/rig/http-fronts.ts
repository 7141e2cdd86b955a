import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { residentKiB } from '../../../bench/process-usage.ts';
import { findProgram } from '../../../bench/tools.ts';
import { Authority } from '../../e2e/certificates.ts';
import { line, Network } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { until } from '../../e2e/until.ts';
import { Program } from './program.ts';

const host = '127.0.0.1';

/** What stands between clients of HTTP and servers: one port for each server. */
export interface HttpFront extends AsyncDisposable {
  readonly name: string;
  /** In the order of the servers. */
  readonly ports: readonly number[];
  /** The first server again, with TLS for its clients. Caravan alone has it. */
  readonly tlsPort: number | undefined;
  readonly running: boolean;
  /** Of the process that clients connect to. */
  residentBytes(): number;
}

/** Attributes of the listeners and connectors of Caravan. */
export interface FrontSettings {
  readonly listener?: Readonly<Record<string, string | number>>;
  readonly connector?: Readonly<Record<string, string | number>>;
}

export type StartFront = (serverPorts: readonly number[], settings?: FrontSettings) => Promise<HttpFront>;

async function untilOpen(port: number): Promise<void> {
  await until(`port ${port} opens`, async () => {
    const socket = connect(port, host);
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    }).finally(() => socket.destroy());
  });
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** Two routers with a link: clients connect to the one, servers are behind the other. */
async function startCaravan(serverPorts: readonly number[], settings: FrontSettings = {}): Promise<HttpFront> {
  const ports = await freePorts(serverPorts.length);
  const tlsPort = await freePort();
  await using started = new AsyncDisposableStack();
  const authority = started.use(await Authority.make());
  // Any certificate will do: clients of these rows do not look at it.
  const [type, attributes] = authority.profile(await authority.issue('service-00000000'), false);
  const near: Entity[] = [[type, { ...attributes, name: 'service' }]];
  const far: Entity[] = [];
  for (const [index, serverPort] of serverPorts.entries()) {
    const address = `web-${index}`;
    near.push(['httpListener', { name: address, address, host, port: ports[index], ...settings.listener }]);
    far.push(['httpConnector', { name: address, address, host, port: serverPort, ...settings.connector }]);
  }
  near.push(['httpListener', { name: 'tls', address: 'web-0', host, port: tlsPort, sslProfile: 'service', ...settings.listener }]);
  const network = started.use(await Network.start({ tls: true, links: line(['near', 'far']), entities: { near, far } }));
  for (const port of [...ports, tlsPort]) await untilOpen(port);
  const router = network.router('near');
  const owned = started.move();
  return {
    name: 'caravan',
    ports,
    tlsPort,
    get running() {
      return network.routers.every(({ running }) => running);
    },
    residentBytes: () => router.residentBytes(),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

type Configure = (folder: string, ports: readonly (readonly [port: number, serverPort: number])[]) => string;

async function startProxy(
  name: string,
  command: readonly string[],
  configure: Configure,
  serverPorts: readonly number[],
): Promise<HttpFront> {
  const folder = await mkdtemp(join(tmpdir(), `caravan-${name}-`));
  const ports = await freePorts(serverPorts.length);
  const file = join(folder, `${name}.conf`);
  await writeFile(
    file,
    configure(
      folder,
      ports.map((port, index) => [port, serverPorts[index]]),
    ),
  );
  const program = new Program(name, [...command, file]);
  const dispose = async (): Promise<void> => {
    await program.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const port of ports) await untilOpen(port);
  } catch (error) {
    await dispose();
    throw new Error(`${name}: ${program.tail()}`, { cause: error });
  }
  return {
    name,
    ports,
    tlsPort: undefined,
    get running() {
      return program.running;
    },
    residentBytes: () => residentKiB(program.pid) * 1024,
    [Symbol.asyncDispose]: dispose,
  };
}

/** HTTP/1.1 and HTTP/2 without TLS on each port. Times as a careful operator sets them. */
const haproxyConfiguration: Configure = (_folder, ports) =>
  [
    'global',
    '  maxconn 4000',
    'defaults',
    '  mode http',
    '  timeout http-request 10s',
    '  timeout client 10s',
    '  timeout connect 3s',
    '  timeout server 60s',
    ...ports.flatMap(([port, serverPort]) => [`listen web-${port}`, `  bind ${host}:${port}`, `  server web ${host}:${serverPort}`]),
    '',
  ].join('\n');

const nginxConfiguration: Configure = (folder, ports) => `daemon off;
master_process off;
pid ${folder}/pid;
error_log /dev/null;
events { worker_connections 4000; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  client_header_timeout 10s;
  client_body_timeout 10s;
  send_timeout 10s;
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_buffering off;
  ${ports
    .map(
      ([port, serverPort]) =>
        `server { listen ${host}:${port}; location / { proxy_set_header Host $http_host; proxy_pass http://${host}:${serverPort}; } }`,
    )
    .join('\n  ')}
}
`;

/** Caravan, and the proxies that are installed when peers are asked for. */
export function httpFronts(withPeers: boolean): readonly StartFront[] {
  const fronts: StartFront[] = [startCaravan];
  if (!withPeers) return fronts;
  const haproxy = findProgram('haproxy');
  if (haproxy !== undefined)
    fronts.push(async (serverPorts) => await startProxy('haproxy', [haproxy, '-db', '-f'], haproxyConfiguration, serverPorts));
  const nginx = findProgram('nginx');
  if (nginx !== undefined)
    fronts.push(async (serverPorts) => await startProxy('nginx', [nginx, '-e', '/dev/null', '-c'], nginxConfiguration, serverPorts));
  return fronts;
}
