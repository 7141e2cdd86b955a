import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import type { ManagementResponse } from '../management/management-protocol.ts';
import { parseResources } from '../site/resources.ts';
import { siteLayout, type SiteLayout } from '../site/state-layout.ts';
import { ResourceFolder } from './resource-folder.ts';
import { openSiteFolder } from './site-folder.ts';
import { handleSiteRequest } from './site-requests.ts';
import { SiteSupervisor, type SiteSupervisorOptions } from './site-supervisor.ts';

export { freePort } from '../../test/e2e/ports.ts';

/** What the tests of sites share: sites in one temporary folder, in this process, on 127.0.0.1. */

export const apiVersion = 'skupper.io/v2alpha1';

export class TestSites implements AsyncDisposable {
  readonly folder: string;
  readonly #open = new Set<SiteSupervisor>();
  readonly #servers = new Set<Server>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<TestSites> {
    return new TestSites(await mkdtemp(join(tmpdir(), 'site-')));
  }

  layout(name: string): SiteLayout {
    return siteLayout(name, { XDG_DATA_HOME: this.folder }, { uid: 0, home: '/nowhere' });
  }

  /** Makes a site, which accepts links on `linkPort` if there is one. */
  async start(name: string, linkPort?: number): Promise<SiteSupervisor> {
    const layout = this.layout(name);
    await (await openSiteFolder(layout))[Symbol.asyncDispose]();
    const resources = parseResources(`${siteYaml(name)}${linkPort === undefined ? '' : accessYaml(linkPort)}`, 'test');
    await new ResourceFolder(layout.resourceFolder).change(resources.map((put) => ({ put })));
    return this.open(name);
  }

  /** Starts a site that was made before. */
  async open(name: string, changes: Partial<Pick<SiteSupervisorOptions, 'clock' | 'version'>> = {}): Promise<SiteSupervisor> {
    const random = processRandom();
    const site = await SiteSupervisor.open({
      namespace: name,
      layout: this.layout(name),
      clock: processClock,
      random,
      crypto: { subtle: webcrypto.subtle, random },
      log: silentLogger,
      version: '0.1.0',
      machine: { address: '127.0.0.1', names: ['localhost'] },
      ...changes,
    });
    this.#open.add(site);
    return site;
  }

  async stop(site: SiteSupervisor): Promise<void> {
    this.#open.delete(site);
    await site[Symbol.asyncDispose]();
  }

  /** A server that sends back what it gets; its port. */
  async echoServer(): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    this.#servers.add(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const site of this.#open) await site[Symbol.asyncDispose]();
    for (const server of this.#servers) server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function siteYaml(name: string): string {
  return `---\napiVersion: ${apiVersion}\nkind: Site\nmetadata: {name: ${name}}\nspec: {}\n`;
}

function accessYaml(port: number): string {
  const spec = `{roles: [{name: inter-router, port: ${port}}], tlsCredentials: own, bindHost: 127.0.0.1}`;
  return `---\napiVersion: ${apiVersion}\nkind: RouterAccess\nmetadata: {name: links}\nspec: ${spec}\n`;
}

export function connectorYaml(name: string, port: number): string {
  return `---\napiVersion: ${apiVersion}\nkind: Connector\nmetadata: {name: ${name}}\nspec: {routingKey: ${name}, host: 127.0.0.1, port: ${port}}\n`;
}

export function listenerYaml(name: string, port: number): string {
  return `---\napiVersion: ${apiVersion}\nkind: Listener\nmetadata: {name: ${name}}\nspec: {routingKey: ${name}, host: 127.0.0.1, port: ${port}}\n`;
}

/** Waits until `condition` holds; the error says `what` did not come. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

/** A connection to a listener, which may open only in a moment. */
export async function dial(port: number): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(25);
    }
  }
}

/** Sends `text` and gives what comes back. */
export async function exchange(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let answer = '';
  while (answer.length < text.length) {
    const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    answer += chunk.toString();
  }
  return answer;
}

export async function echoOnce(port: number, text: string): Promise<string> {
  const socket = await dial(port);
  try {
    return await exchange(socket, text);
  } finally {
    socket.destroy();
  }
}

/** One request as a tool makes it. */
export function ask(
  site: SiteSupervisor,
  operation: string,
  attributes: object = {},
  type = '',
  name?: string,
): Promise<ManagementResponse> {
  const request = { id: 1, operation, type, attributes: new Map(Object.entries(attributes)), ...(name === undefined ? {} : { name }) };
  const client = { send: () => true, endWith: () => undefined, closed: new AbortController().signal };
  return handleSiteRequest({ supervisor: site, version: '0.1.0', stop: () => undefined }, request, client);
}

/** The status of one resource as STATUS shows it. */
export function statusOf(site: SiteSupervisor, kind: string, name: string): { status: string; message: string } & Record<string, unknown> {
  const found = site.report().find((resource) => resource.kind === kind && resource.metadata.name === name);
  if (found === undefined || found.kind === 'Secret' || found.status === undefined) throw new Error(`${kind} '${name}' has no status`);
  return { ...found.status };
}
