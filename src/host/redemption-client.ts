import { X509Certificate, createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect as tlsConnect } from 'node:tls';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { WeatherError } from '../base/errors.ts';
import type { AccessToken } from '../pki/access-token.ts';
import type { LinkEndpoint } from '../pki/grant.ts';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import { maxResponseBytes, parseAdmission, redeemPathPrefix, renewPath } from '../pki/redemption-protocol.ts';
import type { Admission } from '../pki/redemption-protocol.ts';
import { explainTlsFailure } from './peer-identity.ts';
import type { PendingRedemption, TrustStore } from './trust-store.ts';

/** Time for the whole exchange with an issuer, the TLS handshake included. */
const exchangeTimeoutMs = 10_000;

export interface RedeemOptions {
  /** The name this site would like to have. The issuer may give another one. */
  readonly siteName: string;
  /** Names and addresses this site is reached by. */
  readonly hosts: readonly string[];
  readonly signal?: AbortSignal;
}

export interface RedeemedToken {
  /** Where to link to. */
  readonly links: readonly LinkEndpoint[];
  readonly linkCost: number;
  /** False when the site was in this network before and only learned where to link to. */
  readonly joined: boolean;
}

/**
 * Redeems a token for this site: joins the network, or, when the site is in it already, learns where to link to.
 * Throws InputError `other-network` or `own-token` before the token is used up; WeatherError `token-refused`,
 * `issuer-unreachable`, `issuer-untrusted`, `issuer-timeout`, `issuer-failed`, `too-many-tries`, `bad-admission`, `disk-full`.
 */
export async function redeemToken(store: TrustStore, token: AccessToken, options: RedeemOptions): Promise<RedeemedToken> {
  const path = `${redeemPathPrefix}${token.grantId}`;
  const attempt = async (): Promise<{ pending: PendingRedemption; admission: Admission }> => {
    const pending = await store.beginRedemption(token, options.siteName, options.hosts);
    const admission = await hearingOfRevocation(store, exchange(token, path, pending.request, token.ca, options.signal));
    return { pending, admission };
  };
  const { pending, admission } = await attempt().catch((error: unknown) => {
    // A site that learns only now that it was revoked joins anew; the token has not been used up.
    if (error instanceof IssuerRefusal && error.revocation !== undefined && store.ownRevocation !== undefined) return attempt();
    throw error;
  });
  await store.adopt(pending, admission);
  const { linkCost } = token;
  return { links: admission.links, linkCost, joined: pending.request.membership === undefined };
}

/** Renews this site's certificates at an issuer. Throws WeatherErrors as `redeemToken` does, and `renewal-refused`. */
export async function renewAtIssuer(store: TrustStore, issuer: LinkEndpoint, signal?: AbortSignal): Promise<void> {
  const request = await store.beginRenewal();
  const ca = store.tlsCredentials()?.ca ?? '';
  await store.adoptRenewal(await hearingOfRevocation(store, exchange(issuer, renewPath, request, ca, signal)));
}

/** An issuer's refusal because this site was revoked carries the statement: the site then knows, whoever it asks next. */
async function hearingOfRevocation(store: TrustStore, exchanged: Promise<Admission>): Promise<Admission> {
  try {
    return await exchanged;
  } catch (error) {
    if (error instanceof IssuerRefusal && error.revocation !== undefined) await store.revocations?.decided(error.revocation);
    throw error;
  }
}

class IssuerRefusal extends WeatherError {
  /** The statement that revokes this site. Not verified. */
  readonly revocation: Uint8Array | undefined;

  constructor(code: string, message: string, remedy: string | undefined, revocation: Uint8Array | undefined) {
    super(code, message, remedy === undefined ? {} : { remedy });
    this.revocation = revocation;
  }
}

async function exchange(
  endpoint: LinkEndpoint,
  path: string,
  body: object,
  ca: string,
  signal: AbortSignal | undefined,
): Promise<Admission> {
  const where = `${endpoint.host}:${endpoint.port}`;
  const deadline = AbortSignal.timeout(exchangeTimeoutMs);
  const ended = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  let answer: { status: number; text: string };
  try {
    answer = await post(endpoint, path, JSON.stringify(body), ca, ended);
  } catch (cause) {
    if (cause instanceof WeatherError) throw cause;
    if (signal?.aborted === true) throw new WeatherError('cancelled', 'cancelled', { cause });
    throw connectionFailure(where, cause, deadline.aborted);
  }
  if (answer.status === 200) return parseAdmission(answer.text);
  throw refusal(where, path, answer.status, answer.text);
}

/**
 * Connects with TLS 1.3, trusting `ca` alone. The host name need not stand in the server's certificate: what is asked of
 * it is a chain to the pinned root and the name of a router of that network. Nothing is sent before that is known.
 */
async function connect(endpoint: LinkEndpoint, ca: string, signal: AbortSignal): Promise<TLSSocket> {
  const rootKey = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' });
  const networkId = createHash('sha256').update(rootKey).digest('hex').slice(0, 16);
  const socket = tlsConnect({
    host: endpoint.host,
    port: endpoint.port,
    ca,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    checkServerIdentity: (_host, certificate) => checkIssuer(certificate, networkId),
  });
  try {
    await once(socket, 'secureConnect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function checkIssuer(certificate: PeerCertificate, networkId: string): Error | undefined {
  const identity = identityFromSubjectAltName(certificate.subjectaltname ?? '');
  if (identity?.networkId === networkId) return undefined;
  return new WeatherError('issuer-untrusted', 'the server is not a router of this network');
}

async function post(
  endpoint: LinkEndpoint,
  path: string,
  body: string,
  ca: string,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const socket = await connect(endpoint, ca, signal);
  try {
    const outgoing = httpRequest({
      createConnection: () => socket,
      host: endpoint.host,
      port: endpoint.port,
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      maxHeaderSize: 4096,
      signal,
    });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 0, text: await readAnswer(incoming) };
  } finally {
    socket.destroy();
  }
}

async function readAnswer(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxResponseBytes) throw new WeatherError('issuer-failed', `the issuer's answer is longer than ${maxResponseBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The one place where failures of the connection become ours. */
function connectionFailure(where: string, cause: unknown, timedOut: boolean): WeatherError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  if (timedOut) {
    return new WeatherError('issuer-timeout', `the issuer at ${where} did not answer within ${exchangeTimeoutMs / 1000} s`, {
      cause,
      remedy: 'check that the address leads to the site that issued the token and that its router runs',
    });
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new WeatherError('issuer-unreachable', `the host of ${where} is not known here`, {
      cause,
      remedy: 'check the name, or the DNS of this host',
    });
  }
  if (/^E(?:CONN|HOST|NET|TIMEDOUT|PIPE)/.test(code)) {
    return new WeatherError('issuer-unreachable', `no connection to the issuer at ${where} (${code})`, {
      cause,
      remedy: 'check that its router runs and that its port can be reached from here',
    });
  }
  if (code.startsWith('CERT_') || code.includes('CERT') || code === 'INVALID_CA' || code === 'INVALID_PURPOSE') {
    return new WeatherError('issuer-untrusted', `the server at ${where} is not of this network: ${explainTlsFailure(code)}`, {
      cause,
      remedy: 'check that the address leads to the site that issued the token; the token has not been sent there',
    });
  }
  return new WeatherError('issuer-failed', `the exchange with the issuer at ${where} failed (${code})`, { cause, remedy: 'try again' });
}

function refusal(where: string, path: string, status: number, text: string): WeatherError {
  const { code, message, remedy, revocation } = parseRefusal(text);
  if (status === 429) return new WeatherError('too-many-tries', `${where}: ${message}`, { remedy: 'wait a minute' });
  if (path === renewPath) {
    return new IssuerRefusal('renewal-refused', `${where} refused the renewal: ${message}`, remedy ?? 'redeem a new token', revocation);
  }
  if (status === 404) {
    return new WeatherError('token-refused', `${where}: ${message}`, {
      remedy: 'ask for a new token: tokens last 15 minutes and one use unless issued otherwise',
    });
  }
  return new IssuerRefusal('issuer-failed', `${where} could not redeem the token: ${message} (${code})`, remedy, revocation);
}

/** An issuer's explanation, cut to what fits a line of a terminal. */
function parseRefusal(text: string): { code: string; message: string; remedy: string | undefined; revocation: Uint8Array | undefined } {
  let fields: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) fields = value as Record<string, unknown>;
  } catch {
    // Not one of ours: the status alone has to do.
  }
  const short = (value: unknown): string | undefined => {
    if (typeof value !== 'string') return undefined;
    // Printable characters only: this text goes to a terminal.
    return value.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 300);
  };
  return {
    code: short(fields['code']) ?? 'unknown',
    message: short(fields['message']) ?? 'no explanation',
    remedy: short(fields['remedy']),
    revocation: typeof fields['revocation'] === 'string' ? new Uint8Array(Buffer.from(fields['revocation'], 'base64')) : undefined,
  };
}
