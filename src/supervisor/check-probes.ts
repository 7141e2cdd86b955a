import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { explainNetworkError } from '../host/network-error.ts';
import { verifyPeer } from '../host/peer-identity.ts';
import type { TlsCredentials } from '../host/trust-store.ts';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import type { LinkProbe, SeenClock, SeenProbes, ServerProbe } from '../site/health-observation.ts';
import { endpointText } from '../site/derive.ts';
import { plainHost } from '../site/derive-services.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';

/** One try: several round trips over a slow network. */
const probeTimeoutMs = 3000;
/** Tries under way at a time, and in all: a check must not become a scan. */
const maxParallel = 8;
const maxProbes = 64;
/** The head of the answer that carries the date: it has some 150 bytes. */
const maxHeadBytes = 4096;
/** HTTP tells its date in seconds. */
const dateUnitMs = 1000;

export interface ProbeOptions {
  readonly resources: readonly Resource[];
  /** The site's own, by which others are asked; undefined while it is in no network. */
  readonly credentials: TlsCredentials | undefined;
  readonly networkId: string | undefined;
  readonly clock: Clock;
  readonly nameOf: (routerId: string) => string;
  readonly signal: AbortSignal;
}

/** Tries from this host what the site's links and connectors lead to. Every try is closed again at once. */
export async function probeSite(options: ProbeOptions): Promise<Omit<SeenProbes, 'neighbours'>> {
  const links: LinkProbe[] = [];
  const servers: ServerProbe[] = [];
  const tries = [
    ...resourcesOf(options.resources, 'Link').flatMap(({ metadata, spec }) =>
      spec.endpoints
        .filter(({ name }) => name === undefined || name === 'inter-router')
        .map(({ host, port }) => async () => {
          links.push(await probeLink(options, metadata.name, plainHost(host), Number(port), spec.tlsCredentials === undefined));
        }),
    ),
    ...resourcesOf(options.resources, 'Connector').flatMap(({ metadata, spec }) => {
      const { host, port, type, settings = {} } = spec;
      // A server that is started when it is needed need not be there; whether one of UDP is there nobody can tell.
      const isExpected = settings['activation-url'] === undefined && settings['activation-command'] === undefined && type !== 'udp';
      if (!isExpected) return [];
      return [async () => void servers.push(await probeServer(options, metadata.name, plainHost(host), port))];
    }),
  ].slice(0, maxProbes);
  const waiting = tries.values();
  const worker = async (): Promise<void> => {
    for (const attempt of waiting) if (!options.signal.aborted) await attempt();
  };
  await Promise.all(Array.from({ length: maxParallel }, worker));
  return { links: links.sort(byLink), servers: servers.sort((a, b) => (a.connector < b.connector ? -1 : 1)) };
}

function byLink(a: LinkProbe, b: LinkProbe): number {
  return a.link < b.link || (a.link === b.link && a.place < b.place) ? -1 : 1;
}

async function probeServer({ signal }: ProbeOptions, connector: string, host: string, port: number): Promise<ServerProbe> {
  const place = endpointText({ host, port });
  const failure = await reach(
    () => connectTcp({ host, port }),
    'connect',
    place,
    signal,
    async () => Promise.resolve(),
  );
  return { connector, place, failure: failure ?? '' };
}

/**
 * A handshake as the link would make it. With a site of our own network the connection then asks, as renewal would, by HTTP: the answer
 * has the date of whoever answers, also where a wrong clock keeps the certificates from being accepted.
 */
async function probeLink(options: ProbeOptions, link: string, host: string, port: number, isOurs: boolean): Promise<LinkProbe> {
  const { credentials, networkId, clock, nameOf, signal } = options;
  const place = endpointText({ host, port });
  const startMs = clock.nowMs();
  const found: { routerId?: string; seen?: SeenClock; refusal?: string } = {};
  const isAsked = isOurs && credentials !== undefined && networkId !== undefined;
  const failure = isAsked
    ? await reach(
        () =>
          connectTls({
            host,
            port,
            ca: credentials.ca,
            cert: credentials.cert,
            key: credentials.key,
            minVersion: 'TLSv1.3',
            ALPNProtocols: ['http/1.1'],
            // What is wrong with the certificate is to be told, not only that something is.
            rejectUnauthorized: false,
            ...(isIP(host) === 0 ? { servername: host } : {}),
          }),
        'secureConnect',
        place,
        signal,
        async (socket) => {
          const secure = socket as TLSSocket;
          const verdict = verifyPeer(secure, networkId);
          if (!verdict.accepted) found.refusal = verdict.reason;
          const routerId = identityFromSubjectAltName(secure.getPeerX509Certificate()?.subjectAltName ?? '')?.routerId;
          if (routerId === undefined) return;
          found.routerId = routerId;
          const askedMs = clock.nowMs();
          const dateMs = await askDate(secure, host);
          if (dateMs === undefined) return;
          const tripMs = clock.nowMs() - askedMs;
          const aheadMs = dateMs + dateUnitMs / 2 - (clock.wallMs() - tripMs / 2);
          found.seen = { routerId, name: nameOf(routerId), aheadMs, uncertaintyMs: tripMs / 2 + dateUnitMs / 2 };
        },
      )
    : await reach(
        () => connectTcp({ host, port }),
        'connect',
        place,
        signal,
        async () => Promise.resolve(),
      );
  const outcome = failure !== undefined ? 'unreachable' : found.refusal !== undefined ? 'not-proven' : 'reached';
  return {
    link,
    place,
    outcome,
    evidence: failure ?? found.refusal ?? `answered within ${Math.round(clock.nowMs() - startMs)} ms`,
    routerId: found.routerId,
    clock: found.seen,
  };
}

/** Connects, does `use` and closes; gives why it did not come to that, undefined when it did. */
async function reach(
  connect: () => Socket,
  readyEvent: 'connect' | 'secureConnect',
  place: string,
  signal: AbortSignal,
  use: (socket: Socket) => Promise<void>,
): Promise<string | undefined> {
  const socket = connect();
  const stop = (): void => void socket.destroy(new Error('the check was ended'));
  signal.addEventListener('abort', stop, { once: true });
  socket.setTimeout(probeTimeoutMs, () => socket.destroy(new Error(`no answer within ${probeTimeoutMs / 1000} s`)));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(readyEvent, resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the connection was closed')));
    });
    // From here on the end of the connection is no failure of reaching.
    socket.on('error', () => undefined);
    await use(socket);
    return undefined;
  } catch (error) {
    return explainNetworkError(error as Error, place);
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** The date of an HTTP server at the other end in ms since 1970; undefined when it does not tell any. */
function askDate(socket: TLSSocket, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    let head = '';
    const done = (): void => {
      const date = /^date: (.*)$/im.exec(head)?.[1];
      const dateMs = date === undefined ? Number.NaN : Date.parse(date);
      resolve(Number.isFinite(dateMs) ? dateMs : undefined);
    };
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      head += text;
      if (head.includes('\r\n\r\n') || head.length > maxHeadBytes) done();
    });
    socket.once('close', done);
    socket.write(`HEAD / HTTP/1.1\r\nHost: ${isIP(host) === 6 ? `[${host}]` : host}\r\nConnection: close\r\n\r\n`);
  });
}
