import { InputError } from '../base/errors.ts';
import { lineLogger } from '../host/line-log.ts';
import { processClock } from '../host/process-clock.ts';
import { runObserver } from '../observer/run-observer.ts';
import { parseDuration } from '../site/duration.ts';
import {
  defaultObserverPort,
  observerValueProblem,
  parseByteSize,
  parseListenPlace,
  parseRedactions,
  redactions,
} from '../site/observer-settings.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parseChoice } from './option-values.ts';
import { noSite, SiteSession } from './site-session.ts';
import { version } from './version.ts';

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
const defaults = { listen: `127.0.0.1:${defaultObserverPort}`, retention: '7d', 'max-bytes': '1GiB' };

export const command: Command = {
  parameters: [],
  options: {
    listen: { value: 'HOST:PORT', meaning: 'where the console and the REST interface are; port 0: a free one', default: defaults.listen },
    'tls-cert': { value: 'FILE', meaning: 'certificate of the console, in PEM; needed for other addresses than loopback' },
    'tls-key': { value: 'FILE', meaning: 'its key, in PEM' },
    'behind-proxy': { meaning: 'a proxy with TLS stands in front: other addresses than loopback need no certificate here' },
    'host-name': { value: 'NAMES', meaning: 'names by which browsers may ask for the console, besides the address; with commas' },
    retention: { value: 'DURATION', meaning: 'how long history is kept', default: defaults.retention },
    'max-bytes': { value: 'SIZE', meaning: 'most that the history may take on disk', default: defaults['max-bytes'] },
    'metrics-listen': { value: 'HOST:PORT', meaning: 'serves /metrics there without login, and nothing else' },
    'otlp-endpoint': { value: 'URL', meaning: 'sends traces and metrics to a receiver of OTLP over HTTP, such as http://127.0.0.1:4318' },
    'access-log': { value: 'FILE', meaning: 'writes a JSON line for each request and connection; - for standard output' },
    redact: { value: 'LIST', meaning: `leaves out of the access log: ${redactions.join(', ')}` },
    'log-level': { value: 'LEVEL', meaning: 'debug, info, warn or error', default: 'info' },
  },
  description: `Collects what all routers of the network tell of themselves and of the traffic, keeps its history, and serves the console, the REST
interface and metrics, until Ctrl-C. The site itself must run; it may be restarted meanwhile. A site can run its observer by itself:
van site create NAME --enable-observer. Its log is on standard error.`,
  examples: [
    { line: 'van observe', meaning: `The console at http://${defaults.listen}; van console gives the link to log in` },
    { line: 'van observe --metrics-listen 127.0.0.1:9180', meaning: 'With metrics that a Prometheus server can scrape' },
    { line: 'van observe --otlp-endpoint http://127.0.0.1:4318 --access-log /var/log/van.jsonl', meaning: 'With traces and an access log' },
  ],
  async run(call) {
    const level = parseChoice(call.text('log-level') ?? 'info', '--log-level', logLevels);
    const options = readOptions(call);
    if (!(await new SiteSession(call).exists())) throw noSite(call);
    const log = lineLogger(
      (line) => call.shell.writeError(line),
      level,
      () => processClock.wallMs(),
      'observer',
    );
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    // Started by a site: it ends with the site, however that ends.
    process.once('disconnect', stop);
    try {
      await runObserver({
        ...options,
        namespace: call.namespace,
        version,
        environment: call.shell.environment,
        log,
        signal: stopping.signal,
        ready: (places) => {
          if (process.connected) process.send?.({ ready: places });
          else call.shell.writeError(readyText(call, places));
        },
      });
    } finally {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      process.off('disconnect', stop);
    }
    return 0;
  },
};

function readyText(call: Call, { url, metricsUrl }: { readonly url: string; readonly metricsUrl: string | undefined }): string {
  const metrics = metricsUrl === undefined ? '' : `Metrics for Prometheus are at ${metricsUrl}\n`;
  return `The console is at ${url}\nFor a link that logs you in: van${call.namespaceOption} console\n${metrics}`;
}

type Options = Omit<Parameters<typeof runObserver>[0], 'namespace' | 'version' | 'environment' | 'log' | 'signal' | 'ready'>;

function readOptions(call: Call): Options {
  const value = (name: string): string | undefined => {
    const text = call.text(name) ?? (defaults as Readonly<Record<string, string>>)[name];
    const isPlain = name === 'access-log' || name.startsWith('tls-');
    const problem = text === undefined || isPlain ? undefined : observerValueProblem(name, text);
    if (problem !== undefined) throw new InputError('bad-option', `--${name}`, `${problem}, not '${text}'`);
    return text;
  };
  const certificateFile = value('tls-cert');
  const keyFile = value('tls-key');
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    throw new InputError(
      'missing-option',
      certificateFile === undefined ? '--tls-cert' : '--tls-key',
      'is needed: a certificate and its key',
    );
  }
  const metricsListen = parseListenPlace(value('metrics-listen') ?? '');
  const otlpEndpoint = value('otlp-endpoint');
  const file = value('access-log');
  const redact = value('redact');
  if (redact !== undefined && file === undefined) throw new InputError('missing-option', '--access-log', 'is needed for --redact');
  const hostNames = (value('host-name') ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
  return {
    listen: parseListenPlace(value('listen') ?? '') ?? { host: '127.0.0.1', port: defaultObserverPort },
    ...(certificateFile === undefined || keyFile === undefined ? {} : { tls: { certificateFile, keyFile } }),
    behindProxy: call.flag('behind-proxy'),
    hostNames,
    ...(metricsListen === undefined ? {} : { metricsListen }),
    retentionMs: parseDuration(value('retention') ?? '') ?? 0,
    maxBytes: parseByteSize(value('max-bytes') ?? '') ?? 0,
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
    ...(file === undefined ? {} : { accessLog: { file, redact: parseRedactions(redact ?? '') ?? new Set() } }),
  };
}
