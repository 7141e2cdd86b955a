import { isDeepStrictEqual } from 'node:util';
import { InputError } from '../base/errors.ts';
import { serviceTypes, type ServiceType, type Kind, type Resource, type ResourceOf } from '../site/resource-types.ts';
import type { Call } from './call.ts';
import type { Option, Parameter } from './command.ts';
import { parsePort, parseSettings } from './option-values.ts';
import { printDone, printResult } from './output.ts';
import { resourceFromOptions } from './resource-from-options.ts';
import { unknownResource, SiteSession, type ShownResource } from './site-session.ts';
import { formatFields, formatTable } from './table.ts';
import { waitForResources } from './wait-for-resources.ts';

/** What listeners and connectors have in common: both are a name, a routing key, a host and a port. */

type ServiceKind = 'Listener' | 'Connector';

export const serviceParameters: readonly Parameter[] = [
  { name: 'NAME', meaning: 'name of the resource, and the routing key unless --routing-key says another' },
  { name: 'PORT', meaning: 'port, from 1 to 65535' },
];

export const serviceOptions: Readonly<Record<string, Option>> = {
  'routing-key': { short: 'r', value: 'KEY', meaning: 'what listeners and connectors meet under (default: NAME)' },
  type: { value: 'TYPE', meaning: `protocol of the service: ${serviceTypes.join(' or ')}`, default: 'tcp' },
  setting: { value: 'KEY=VALUE', meaning: 'a setting of the type, such as max-tries=2; may be given several times', repeatable: true },
};

/** TLS with clients. */
export const listenerTlsOptions: Readonly<Record<string, Option>> = {
  'tls-credentials': { value: 'NAME', meaning: 'Secret or certificate folder with tls.crt and tls.key, to speak TLS with clients' },
};

/** TLS with the server. */
export const connectorTlsOptions: Readonly<Record<string, Option>> = {
  'tls-credentials': { value: 'NAME', meaning: 'Secret or certificate folder with ca.crt, to speak TLS with the server' },
  'use-client-cert': { meaning: 'show tls.crt of the TLS credentials to the server' },
};

/** Creates a listener or connector and waits until it is there. Typing the same command twice does no harm. */
export async function createService(call: Call, kind: ServiceKind, host: string): Promise<Resource & ResourceOf<ServiceKind>> {
  const level = call.waitLevel('configured');
  const type = call.text('type') ?? 'tcp';
  const name = call.parameter('NAME');
  const tlsCredentials = call.text('tls-credentials');
  const settings = parseSettings(call.texts('setting'), '--setting');
  const spec = {
    routingKey: call.text('routing-key') ?? name,
    host,
    port: parsePort(call.parameter('PORT'), 'PORT'),
    // What is absent is tcp; any other word is judged as that of a file is.
    ...(type === 'tcp' ? {} : { type: type as ServiceType }),
    ...(tlsCredentials === undefined ? {} : { tlsCredentials }),
    ...(call.flag('use-client-cert') ? { useClientCert: true } : {}),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
  const places = {
    'metadata.name': 'NAME',
    'spec.routingKey': '--routing-key',
    'spec.host': '--host',
    'spec.port': 'PORT',
    'spec.type': '--type',
    'spec.tlsCredentials': '--tls-credentials',
    'spec.useClientCert': '--use-client-cert',
    ...Object.fromEntries(Object.keys(settings).map((key) => [`spec.settings.${key}`, `--setting ${key}`])),
  };
  const resource = resourceFromOptions<ServiceKind>({ kind, metadata: { name }, spec }, places) as Resource & ResourceOf<ServiceKind>;
  const session = new SiteSession(call);
  const { resources } = await session.resources();
  refuseOther(resource, resources);
  const { running } = await session.apply([resource], `${kind} '${name}'`);
  if (!running) call.shell.writeError(`The site is not running; this takes effect at its start: van${call.namespaceOption} site start\n`);
  else if (level !== 'none') {
    const [shown] = await waitForResources(call, session, [{ kind, name }], level);
    if (shown?.status?.['hasMatchingConnector'] === false) {
      call.shell.writeError(`Nobody offers "${spec.routingKey}" yet: the port is closed until somebody does.\n`);
    }
  }
  return resource;
}

/** Creating is not changing: what somebody else may rely on is not replaced in passing. */
function refuseOther(resource: ResourceOf<ServiceKind>, resources: readonly ShownResource[]): void {
  const { kind, metadata, spec } = resource;
  const before = resources.find((candidate) => candidate.kind === kind && candidate.metadata.name === metadata.name)?.spec;
  if (before === undefined) return;
  if (sameSpec(before, { ...spec })) return;
  const type = typeof before['type'] === 'string' ? before['type'] : 'tcp';
  const shown = `type ${type}, routing key ${String(before['routingKey'])}, ${String(before['host'])}:${String(before['port'])}`;
  throw new InputError('already-exists', `${kind} '${metadata.name}'`, `exists already with ${shown}`, {
    remedy: `choose another name, or first: van ${kind.toLowerCase()} delete ${metadata.name}`,
  });
}

/** What a command line can say of a service. */
const typedKeys = ['routingKey', 'host', 'port', 'tlsCredentials', 'useClientCert', 'settings'] as const;

function sameSpec(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  return (a['type'] ?? 'tcp') === (b['type'] ?? 'tcp') && typedKeys.every((key) => isDeepStrictEqual(a[key], b[key]));
}

/** Says what became of a created listener or connector. */
export async function printCreated(call: Call, resource: Resource, sentences: string): Promise<void> {
  const { plainResource } = await import('../site/resources.ts');
  await printDone(call, sentences, plainResource(resource));
}

/** Kinds with columns of their own, and how a row of theirs is made. */
export interface StatusTable {
  readonly kind: Kind;
  /** In plural, for what is said when there is none. */
  readonly plural: string;
  readonly columns: readonly (readonly [title: string, cell: (resource: ShownResource) => string])[];
}

/** Shows all resources of a kind as a table, or one as fields. */
export async function showStatus(call: Call, table: StatusTable): Promise<number> {
  const session = new SiteSession(call);
  const name = call.optionalParameter('NAME');
  const { running, resources } = await session.resources();
  let shown = resources.filter(({ kind, metadata }) => kind === table.kind && (name === undefined || metadata.name === name));
  if (name !== undefined && shown.length === 0) throw unknownResource(table.kind, name, resources, call);
  const level = call.waitLevel('none');
  if (level !== 'none' && running) {
    const awaited = shown.map(({ kind, metadata }) => ({ kind, name: metadata.name }));
    shown = [...(await waitForResources(call, session, awaited, level))];
  }
  if (!running) call.shell.writeError(`The site is not running. Start it with: van${call.namespaceOption} site start\n`);
  const rows = [...shown].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const plain = (await import('../site/resources.ts')).plainResource;
  const data = rows.map((row) => plain(row as Resource));
  await printResult(call, name === undefined ? data : data[0], () => {
    const [first] = rows;
    if (first === undefined) return `There are no ${table.plural} in namespace '${call.namespace}'.\n`;
    if (name !== undefined) return formatFields(table.columns.map(([title, cell]) => [fieldTitle(title), cell(first)]));
    return formatTable(
      table.columns.map(([title]) => title),
      rows.map((row) => table.columns.map(([, cell]) => cell(row))),
    );
  });
  return 0;
}

function fieldTitle(title: string): string {
  return title.charAt(0) + title.slice(1).toLowerCase();
}

/** Cells that every kind has. */
export function nameCell({ metadata }: ShownResource): string {
  return metadata.name;
}

export function statusCell({ status }: ShownResource): string {
  return status?.status ?? 'Stopped';
}

export function messageCell({ status }: ShownResource): string {
  return status?.message ?? '';
}

/** The cell of a key of the spec. */
export function specCell(key: string): (resource: ShownResource) => string {
  return ({ spec }) => {
    const value = spec[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
}

/** The protocol of a service. */
export function typeCell({ spec }: ShownResource): string {
  return typeof spec['type'] === 'string' ? spec['type'] : 'tcp';
}

/** The cell of a key of the status that is true or false. */
export function flagCell(key: string): (resource: ShownResource) => string {
  return ({ status }) => (status === undefined ? '' : String(status[key] === true));
}

/** Deletes a resource by name. */
export async function deleteResource(call: Call, kind: Kind): Promise<number> {
  const name = call.parameter('NAME');
  const { running } = await new SiteSession(call).remove(kind, name);
  const note = running ? '' : ' (the site is not running)';
  await printDone(call, `${kind} "${name}" is deleted${note}.`, { kind, name, deleted: true });
  return 0;
}
