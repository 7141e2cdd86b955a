import { SchemaProblem } from '../management/schema.ts';
import { parseDuration } from './duration.ts';

/** The settings of a Site that say how its observer runs, each with the option of `van observe` that it stands for. */
export const observerSettingOptions: Readonly<Record<string, string>> = {
  'observer-listen': 'listen',
  'observer-host-name': 'host-name',
  'observer-behind-proxy': 'behind-proxy',
  'observer-tls-cert': 'tls-cert',
  'observer-tls-key': 'tls-key',
  'observer-metrics-listen': 'metrics-listen',
  'observer-retention': 'retention',
  'observer-max-bytes': 'max-bytes',
  'observer-otlp-endpoint': 'otlp-endpoint',
  'observer-access-log': 'access-log',
  'observer-redact': 'redact',
};

/** All settings about the observer. */
export const observerSettingNames: readonly string[] = ['observer', ...Object.keys(observerSettingOptions)];

export const defaultObserverPort = 8010;

/** What an access log may leave out. Queries are never in it: routers do not tell them. */
export const redactions = ['clients', 'user-agents', 'paths'] as const;
export type Redaction = (typeof redactions)[number];

const byteUnits: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
/** Less would be deleted as fast as it is written. */
const leastHistoryBytes = 16 * 1024 * 1024;
const leastRetentionMs = 60_000;

/** Bytes of a size such as `512MiB` or `1.5GiB`. Undefined when `text` is none. */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)(KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  return amount === undefined ? undefined : Math.round(Number(amount) * (byteUnits[unit] ?? 1));
}

/** Host and port of `127.0.0.1:8010`, `[::1]:8010` or `localhost:8010`. Undefined when `text` is none. */
export function parseListenPlace(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}

/** Reads a list such as `clients,user-agents`. Undefined when it names something else. */
export function parseRedactions(text: string): ReadonlySet<Redaction> | undefined {
  const names = text.split(',').map((name) => name.trim());
  const found = redactions.filter((redaction) => names.includes(redaction));
  return names.every((name) => redactions.some((redaction) => redaction === name)) ? new Set(found) : undefined;
}

/** What is wrong with the value of a setting or option about the observer; undefined when nothing is. */
export function observerValueProblem(option: string, value: string): string | undefined {
  switch (option) {
    case 'listen':
    case 'metrics-listen':
      return parseListenPlace(value) === undefined ? 'must be HOST:PORT, such as 127.0.0.1:8010' : undefined;
    case 'retention': {
      const milliseconds = parseDuration(value);
      return milliseconds === undefined || milliseconds < leastRetentionMs
        ? 'must be a duration of a minute or more, such as 7d'
        : undefined;
    }
    case 'max-bytes': {
      const bytes = parseByteSize(value);
      return bytes === undefined || bytes < leastHistoryBytes ? 'must be a size of 16MiB or more, such as 1GiB' : undefined;
    }
    case 'otlp-endpoint':
      return /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/.test(value) ? undefined : 'must be a URL such as http://127.0.0.1:4318';
    case 'redact':
      return parseRedactions(value) === undefined ? `must be some of ${redactions.join(', ')}, with commas` : undefined;
    case 'behind-proxy':
      return value === 'true' || value === 'false' ? undefined : 'must be "true" or "false"';
    case 'host-name':
      return /^[A-Za-z0-9.,:[\] -]{1,1000}$/.test(value) ? undefined : 'must be host names with commas';
    case 'tls-cert':
    case 'tls-key':
      return value.startsWith('/') ? undefined : 'must be the absolute path of a file';
    case 'access-log':
      return value.startsWith('/') ? undefined : 'must be the absolute path of a file';
    default:
      return undefined;
  }
}

/** Checks the settings of a Site about its observer. Throws SchemaProblem. */
export function checkObserverSettings(settings: Readonly<Record<string, string>>, path: readonly (string | number)[]): void {
  const { observer } = settings;
  if (observer !== undefined && observer !== 'enabled' && observer !== 'disabled') {
    throw new SchemaProblem('invalid', [...path, 'observer'], 'must be enabled or disabled');
  }
  for (const [name, option] of Object.entries(observerSettingOptions)) {
    const value = settings[name];
    const problem = value === undefined ? undefined : observerValueProblem(option, value);
    if (problem !== undefined) throw new SchemaProblem('invalid', [...path, name], problem);
  }
  if ((settings['observer-tls-cert'] === undefined) !== (settings['observer-tls-key'] === undefined)) {
    throw new SchemaProblem('invalid', [...path, 'observer-tls-cert'], 'needs observer-tls-key, and the other way round');
  }
}

/** The options of `van observe` that the settings of a Site stand for; undefined when it is to run no observer. */
export function observerOptions(settings: Readonly<Record<string, string>>): readonly string[] | undefined {
  if (settings['observer'] !== 'enabled') return undefined;
  return Object.entries(observerSettingOptions).flatMap(([name, option]) => {
    const value = settings[name];
    if (value === undefined) return [];
    if (option === 'behind-proxy') return value === 'true' ? ['--behind-proxy'] : [];
    return [`--${option}`, value];
  });
}
