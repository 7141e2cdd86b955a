import { mkdir } from 'node:fs/promises';
import type { Logger } from '../base/log.ts';
import { Attribute } from '../flows/record-types.ts';
import { lockFolder } from '../host/folder-lock.ts';
import { processClock } from '../host/process-clock.ts';
import { layoutOf } from '../supervisor/process-environment.ts';
import { siteClient } from '../supervisor/site-client.ts';
import { AccessLog, type AccessLogOptions } from './access-log.ts';
import { EventHub } from './event-hub.ts';
import { History } from './history.ts';
import { openMetricsServer } from './metrics-server.ts';
import { metricsText } from './metrics.ts';
import { Observation } from './observation.ts';
import { openObserverSocket } from './observer-socket.ts';
import type { ExportState, ObserverState } from './observer-state.ts';
import { OtlpExport } from './otlp-export.ts';
import { restServer } from './rest-server.ts';
import { SiteFeed } from './site-feed.ts';
import { TrafficTotals } from './traffic-totals.ts';
import { openWebServer, type WebServerOptions } from './web-server.ts';

export interface RunObserverOptions {
  readonly namespace: string;
  readonly version: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly listen: WebServerOptions['listen'];
  readonly tls?: WebServerOptions['tls'];
  readonly behindProxy?: boolean;
  readonly hostNames?: readonly string[];
  /** Where `/metrics` is without login, if anywhere. */
  readonly metricsListen?: { readonly host: string; readonly port: number };
  readonly retentionMs: number;
  readonly maxBytes: number;
  /** Base of an OTLP/HTTP receiver, such as `http://127.0.0.1:4318`. */
  readonly otlpEndpoint?: string;
  readonly accessLog?: Pick<AccessLogOptions, 'file' | 'redact' | 'limitBytes'>;
  /** Ends the observer in order. */
  readonly signal: AbortSignal;
  /** Called when it answers, with where the console is and where `/metrics` is without login. */
  readonly ready: (places: { readonly url: string; readonly metricsUrl: string | undefined }) => void;
}

const tickMs = 1000;
const flushMs = 2000;

/**
 * Observes the network of a namespace's site until the signal. The site may be stopped and started meanwhile. Throws WeatherError
 * `state-in-use` when another observer runs, `no-site`, and what ports and sockets throw.
 */
export async function runObserver(options: RunObserverOptions): Promise<void> {
  const { namespace, version, environment, log, retentionMs, maxBytes, signal } = options;
  const layout = layoutOf(namespace, environment);
  const clock = processClock;
  const startedMs = clock.wallMs();
  await mkdir(layout.observerFolder, { recursive: true, mode: 0o700 });
  await using owned = new AsyncDisposableStack();
  owned.use(await lockFolder(layout.observerFolder));
  const history = owned.use(
    new History({ path: `${layout.observerFolder}/history.db`, clock, log: log.child('history'), retentionMs, maxBytes }),
  );
  const totals = new TrafficTotals();
  const exports: { readonly exportState: ExportState }[] = [];
  const { otlpEndpoint } = options;
  const otlp =
    otlpEndpoint === undefined
      ? undefined
      : owned.use(
          new OtlpExport({ endpoint: otlpEndpoint, version, clock, log: log.child('otlp'), totals: () => totals.values(clock.wallMs()) }),
        );
  if (otlp !== undefined) exports.push(otlp);
  const accessLog =
    options.accessLog === undefined ? undefined : owned.use(new AccessLog({ ...options.accessLog, clock, log: log.child('access-log') }));
  if (accessLog !== undefined) exports.push(accessLog);
  const observation = new Observation({
    clock,
    baselines: history.baselines(),
    onTraffic: (delta, identity, baseline) => {
      totals.add(delta);
      history.add(delta, identity, baseline);
    },
    onRequest: (row, phase) => {
      events.request(row);
      if (phase === 'began') return;
      const ended = row();
      if (ended === undefined) return;
      history.addRow(ended);
      // Of HTTP the requests are told; the connections that they came by would tell the same again.
      if (ended.kind === 'connection' && ended.protocol.startsWith('http')) return;
      accessLog?.add(ended, observation.attributeOf(ended.id, Attribute.userAgent));
      otlp?.add(() => observation.model.trace(ended.id), observation.attributeOf(ended.id, Attribute.traceparent));
    },
  });
  const { model } = observation;
  const events = owned.use(new EventHub(model, clock));
  const exportStates = (): readonly ExportState[] => exports.map(({ exportState }) => exportState);
  const feed = new SiteFeed({ client: siteClient(namespace, environment), listener: observation, clock, log: log.child('site') });
  owned.use(feed);
  const metrics = (): string =>
    metricsText(
      {
        model,
        totals,
        version,
        startedMs,
        history: () => history.state,
        exports: exportStates,
        isConnected: () => feed.isConnected,
        counters: () => ({
          reconnections: feed.reconnections,
          malformed: observation.malformed,
          droppedRecords: observation.droppedRecords,
        }),
      },
      clock.wallMs(),
    );
  const state: ObserverState = { version, clock, startedMs, model, history, site: feed, exports: exportStates, metrics };
  const rest = restServer(state, log.child('rest'));
  const ticking = setInterval(() => observation.tick(), tickMs);
  const flushing = setInterval(() => history.flush(), flushMs);
  owned.defer(() => {
    clearInterval(ticking);
    clearInterval(flushing);
  });
  const { listen, tls, behindProxy, hostNames, metricsListen } = options;
  const web = owned.use(
    await openWebServer({
      listen,
      ...(tls === undefined ? {} : { tls }),
      ...(behindProxy === undefined ? {} : { behindProxy }),
      ...(hostNames === undefined ? {} : { hostNames }),
      rest,
      events,
      folder: layout.observerFolder,
      clock,
      log: log.child('web'),
      siteName: () => siteNameOf(feed.status),
    }),
  );
  const metricsServer =
    metricsListen === undefined ? undefined : owned.use(await openMetricsServer(metricsListen, metrics, log.child('metrics')));
  owned.use(
    await openObserverSocket({
      path: layout.observerSocket,
      privateFolder: layout.observerSocketFolder,
      rest,
      events,
      control: web.control,
      clock,
      log: log.child('socket'),
    }),
  );
  log.info('observer is running', { namespace, url: web.url });
  options.ready({ url: web.url, metricsUrl: metricsServer?.url });
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  log.info('observer is stopping');
}

function siteNameOf(status: Readonly<Record<string, unknown>> | undefined): string {
  const site = status?.['site'] as { readonly name?: unknown } | undefined;
  return typeof site?.name === 'string' ? site.name : '';
}
