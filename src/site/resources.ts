import { stringify } from 'yaml';
import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { optional, record, required, SchemaProblem, text, textMap, withDefault, type Path, type Schema } from '../management/schema.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { table, type TableSchema } from './resource-schema.ts';
import { clusterKinds, specSchemas } from './resource-tables.ts';
import { resourceKey, type Kind, type Metadata, type Resource, type ResourceOf, type SecretSpec, type Specs } from './resource-types.ts';
import { parseYaml, type YamlDocument } from './yaml-text.ts';

const skupperVersion = 'skupper.io/v2alpha1';

/** Kinds in the order in which resources are written: what others refer to comes first. */
export const kinds: readonly Kind[] = [
  'Secret',
  'Site',
  'RouterAccess',
  'Link',
  'Listener',
  'MultiKeyListener',
  'Connector',
  'AccessGrant',
  'AccessToken',
];

/**
 * Reads resources from YAML (or JSON, which is YAML) of one or more documents. `where` names the text in errors. Throws
 * InputError: `yaml-syntax`, `resource-unknown`, `-unsupported`, `-missing`, `-invalid` or `-duplicate`, with line and path.
 * `status` is dropped.
 */
export function parseResources(text: string, where: string): readonly Resource[] {
  const places = new Map<string, string>();
  return parseYaml(text, where).map((document) => {
    const resource = readDocument(document, where);
    const key = `${resource.metadata.namespace ?? ''} ${resourceKey(resource)}`;
    const place = `${where}:${document.lineOf(['metadata', 'name'])}`;
    const first = places.get(key);
    if (first !== undefined) {
      throw new InputError(
        'resource-duplicate',
        `${place}: metadata.name`,
        `${resource.kind} '${resource.metadata.name}' is already at ${first}`,
      );
    }
    places.set(key, place);
    return resource;
  });
}

/** The resources as YAML, which parseResources reads back; ordered by kind and name, whatever order they come in. */
export function formatResources(resources: readonly (Resource & { readonly status?: unknown })[]): string {
  return [...resources]
    .sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || compareText(a.metadata.name, b.metadata.name))
    .map((resource) => `---\n${stringify(plainResource(resource), { lineWidth: 0 })}`)
    .join('');
}

/** The resource as plain data in the shape of the Kubernetes API, for YAML and JSON output. */
export function plainResource(resource: Resource & { readonly status?: unknown }): Readonly<Record<string, unknown>> {
  const { kind, metadata, spec, status } = resource;
  if (kind === 'Secret') return { apiVersion: 'v1', kind, metadata, ...spec };
  return { apiVersion: skupperVersion, kind, metadata, spec, ...(status === undefined ? {} : { status }) };
}

/** The text of one file of a Secret, such as `tls.crt`; undefined when it has none of that name. */
export function secretFile(secret: ResourceOf<'Secret'>, name: string): string | undefined {
  const bytes = Object.hasOwn(secret.spec.data, name) ? decodeBase64(secret.spec.data[name] ?? '') : undefined;
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function readDocument(document: YamlDocument, where: string): Resource {
  try {
    return readResource(document.value);
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    const path = pathText(error.path);
    const place = `${where}:${document.lineOf(error.path)}${path === '' ? '' : `: ${path}`}`;
    throw new InputError(`resource-${error.kind}`, place, error.message, error.remedy === undefined ? {} : { remedy: error.remedy });
  }
}

function readResource(value: unknown): Resource {
  const header = record<{ apiVersion: string; kind: string }>({
    apiVersion: required(text(), `version of the API, such as ${skupperVersion}`),
    kind: required(text(), 'kind of the resource, such as Listener'),
  });
  const { apiVersion, kind: kindName } = header.read(headerOf(value), []);
  const kind = knownKind(kindName);
  const expected = kind === 'Secret' ? 'v1' : skupperVersion;
  if (apiVersion !== expected)
    throw new SchemaProblem('unsupported', ['apiVersion'], `must be ${expected} for ${kind}, not '${apiVersion}'`);
  if (kind === 'Secret') return readSecret(value);
  return readOfKind(kind, value);
}

/** The two keys that say how to read the rest. */
function headerOf(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  return new Map([...value].filter(([key]) => key === 'apiVersion' || key === 'kind'));
}

function knownKind(name: string): Kind {
  const kind = kinds.find((candidate) => candidate === name);
  if (kind !== undefined) return kind;
  if (Object.hasOwn(clusterKinds, name))
    throw new SchemaProblem('unsupported', ['kind'], `${name} is not supported: ${clusterKinds[name]}`);
  const near = nearestName(name, kinds);
  throw new SchemaProblem('unknown', ['kind'], `kind '${name}' is unknown${near === undefined ? '' : `; did you mean '${near}'?`}`);
}

/** Names become parts of file names, router ids and certificates: RFC 1123, as in Kubernetes. */
function resourceName(kind: Kind): Schema<string> {
  return kind === 'Site' ? siteName : subdomain;
}

const subdomain = text({
  maximumLength: 253,
  pattern: /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
  patternMeaning: "a name of lower case letters, digits, '-' and '.', beginning and ending with a letter or digit",
});

/** A label of RFC 1123: the names of sites and namespaces. Exported for what is typed on a command line. */
export const siteName: Schema<string> = text({
  maximumLength: 63,
  pattern: /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/,
  patternMeaning: "a name of at most 63 lower case letters, digits and '-', beginning and ending with a letter or digit",
});

/** Who a resource of `kind` is. */
export function metadataSchema(kind: Kind): TableSchema<Metadata> {
  const kept = 'it is made by Kubernetes';
  return table<Metadata>(
    {
      name: required(resourceName(kind), 'name of the resource'),
      namespace: optional(siteName, 'namespace it belongs to'),
      uid: optional(text({ maximumLength: 64 }), 'unique id'),
      labels: optional(textMap(), 'labels by name'),
      annotations: optional(textMap(), 'annotations by name'),
    },
    {
      ignored: {
        creationTimestamp: kept,
        deletionTimestamp: kept,
        deletionGracePeriodSeconds: kept,
        finalizers: kept,
        generation: kept,
        managedFields: kept,
        ownerReferences: kept,
        resourceVersion: kept,
        selfLink: kept,
      },
    },
  );
}

const frame = { ignored: { apiVersion: 'it is read before', kind: 'it is read before', status: 'the site makes it' } };

function readOfKind(kind: Exclude<Kind, 'Secret'>, value: unknown): Resource {
  const spec: Schema<Specs[Kind]> = specSchemas[kind];
  // An absent spec is an empty one: the message then names the keys it lacks, and a Site needs none.
  const { metadata, spec: read } = record<{ metadata: Metadata; spec: unknown }>(
    {
      metadata: required(metadataSchema(kind), 'name, labels and annotations'),
      spec: withDefault<unknown>({ type: spec.type, read: (item) => item }, new Map(), 'what the resource is to be'),
    },
    frame,
  ).read(value, []);
  return { kind, metadata, spec: spec.read(read, ['spec']) } as Resource;
}

const secretTypes = ['kubernetes.io/tls', 'Opaque'];

interface SecretDocument {
  readonly metadata: Metadata;
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
  readonly stringData: Readonly<Record<string, string>>;
}

/** A Secret as a whole: it has no spec. */
export const secretSchema: TableSchema<SecretDocument> = table<SecretDocument>(
  {
    metadata: required(metadataSchema('Secret'), 'name, labels and annotations'),
    type: withDefault(text(), 'Opaque', 'kubernetes.io/tls (needs tls.crt and tls.key) or Opaque'),
    data: withDefault(textMap(), {}, 'files in base64, by name'),
    stringData: withDefault(textMap(), {}, 'files as they are, by name'),
  },
  { ignored: { ...frame.ignored, immutable: 'Secrets are replaced as a whole' } },
);

function readSecret(value: unknown): ResourceOf<'Secret'> {
  const read = secretSchema.read(value, []);
  if (!secretTypes.includes(read.type)) {
    throw new SchemaProblem('unsupported', ['type'], `must be ${secretTypes.join(' or ')}, not '${read.type}'`);
  }
  for (const [name, content] of Object.entries(read.data)) {
    if (decodeBase64(content) === undefined) throw new SchemaProblem('invalid', ['data', name], 'is not base64');
  }
  const given = Object.entries(read.stringData).map(([name, content]) => [name, encodeBase64(new TextEncoder().encode(content))] as const);
  const spec: SecretSpec = { type: read.type, data: { ...read.data, ...Object.fromEntries(given) } };
  const missing = ['tls.crt', 'tls.key'].find((name) => read.type === 'kubernetes.io/tls' && !Object.hasOwn(spec.data, name));
  if (missing !== undefined) throw new SchemaProblem('missing', ['data'], `key '${missing}' is required`);
  return { kind: 'Secret', metadata: read.metadata, spec };
}

/** `spec.endpoints[0].port`; keys that are no words stand in brackets. */
function pathText(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w-]+$/.test(step)) return `['${step.slice(0, 80)}']`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
