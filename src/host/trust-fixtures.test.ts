// The linter's type checker reads test files without a project of their own; this gives it `await using`.
/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:tls';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../base/log.ts';
import type { AccessToken } from '../pki/access-token.ts';
import { testCrypto } from '../pki/fixtures.test.ts';
import { createRedemptionServer, type RedemptionServerOptions } from './redemption-server.ts';
import { TrustStore } from './trust-store.ts';
import type { TrustStoreOptions } from './trust-store.ts';

/** What the trust tests share: stores in a temporary folder with a clock that can be set, and a link port. */

export interface Sites extends AsyncDisposable {
  folder: string;
  /** Added to the wall clock of every store. */
  offsetMs: number;
  options: TrustStoreOptions;
  open(name: string): Promise<TrustStore>;
}

export async function newSites(): Promise<Sites> {
  const folder = await mkdtemp(join(tmpdir(), 'trust-'));
  const stores: TrustStore[] = [];
  const sites: Sites = {
    folder,
    offsetMs: 0,
    options: { wallMs: () => Date.now() + sites.offsetMs, crypto: testCrypto, log: silentLogger },
    async open(name) {
      const store = await TrustStore.open(join(folder, name), sites.options);
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
  return sites;
}

/** Lets `joiner` use a token at its issuer without a network in between. */
export async function joinDirectly(issuer: TrustStore, joiner: TrustStore, token: AccessToken, siteName: string): Promise<void> {
  const pending = await joiner.beginRedemption(token, siteName, []);
  const result = await issuer.redeem(token.grantId, pending.request, '192.0.2.1');
  assert.equal(result.outcome, 'admitted');
  if (result.outcome === 'admitted') await joiner.adopt(pending, result.admission);
}

export interface LinkPort extends AsyncDisposable {
  host: string;
  port: number;
  /** Renews the credentials in use. */
  reload(): void;
}

/** A link port as a router has it: one TLS server, where ALPN leads redemption to its server and links to `onLink`. */
export async function openLinkPort(
  store: TrustStore,
  onLink: (socket: TLSSocket) => void = (socket) => socket.destroy(),
  limits: Pick<RedemptionServerOptions, 'connectionLimit'> = {},
): Promise<LinkPort> {
  const redemption = createRedemptionServer({ handler: store, log: silentLogger, nowMs: () => performance.now(), ...limits });
  const server = createServer({
    ...store.tlsCredentials(),
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['amqp', 'http/1.1'],
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (socket.alpnProtocol === 'http/1.1') redemption.accept(socket);
    else onLink(socket);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 512, resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    reload: () => server.setSecureContext({ ...store.tlsCredentials(), minVersion: 'TLSv1.3' }),
    async [Symbol.asyncDispose]() {
      await redemption[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
