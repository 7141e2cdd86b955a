import { stringify } from 'yaml';
import { InputError } from '../../base/errors.ts';
import { nearestName } from '../../base/nearest-name.ts';
import { record, required, SchemaProblem, text, withDefault, type Path, type Schema } from '../../management/schema.ts';
import { parseYaml, type YamlDocument } from '../../site/yaml-text.ts';
import { metadataTable, overlayTables } from './resource-tables.ts';
import type { OverlayKind, OverlayMetadata, OverlayResource, OverlaySpecs } from './resource-types.ts';

export const overlayApiVersion = 'caravan.dev/v1alpha1';

/** Kinds in the order in which they are written: what others refer to comes first. */
export const overlayKinds: readonly OverlayKind[] = ['VPC', 'Subnet', 'Endpoint', 'OverlayService', 'OverlayPolicy'];

/** A resource, and where each part of it stands, for errors. */
export interface PlacedResource {
  readonly resource: OverlayResource;
  /** `FILE:LINE: spec.prefixes[0]` */
  place(path: Path): string;
}

/** A resource that comes from no text of a user. */
export function placedByName(resource: OverlayResource): PlacedResource {
  return { resource, place: (path) => `${resource.kind} '${resource.metadata.name}': ${pathText(path)}` };
}

/**
 * Reads resources from YAML (or JSON, which is YAML) of one or more documents. `where` names the text in errors. Throws InputError:
 * `yaml-syntax`, `resource-unknown`, `-unsupported`, `-missing` or `-invalid`, with line and path. `status` is dropped.
 */
export function parseOverlayResources(content: string, where: string): readonly PlacedResource[] {
  return parseYaml(content, where).map((document) => {
    const place = placeOf(document, where);
    try {
      return { resource: readOverlayResource(document.value), place };
    } catch (error) {
      if (!(error instanceof SchemaProblem)) throw error;
      const { kind, path, message, remedy } = error;
      throw new InputError(`resource-${kind}`, place(path), message, remedy === undefined ? {} : { remedy });
    }
  });
}

/** The resources as YAML, which parseOverlayResources reads back; ordered by kind and name. */
export function formatOverlayResources(resources: readonly OverlayResource[]): string {
  const order = ({ kind, metadata }: OverlayResource): string => `${overlayKinds.indexOf(kind)} ${metadata.name}`;
  return [...resources]
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .map(({ kind, metadata, spec }) => `---\n${stringify({ apiVersion: overlayApiVersion, kind, metadata, spec }, { lineWidth: 0 })}`)
    .join('');
}

/** A resource of plain data, maps as Map or objects. Throws SchemaProblem. */
export function readOverlayResource(value: unknown): OverlayResource {
  const { apiVersion, kind: kindName } = headerSchema.read(headerOf(value), []);
  if (apiVersion !== overlayApiVersion) {
    throw new SchemaProblem('unsupported', ['apiVersion'], `must be ${overlayApiVersion}, not '${apiVersion}'`);
  }
  const kind = overlayKinds.find((candidate) => candidate === kindName);
  if (kind === undefined) {
    const near = nearestName(kindName, overlayKinds);
    throw new SchemaProblem('unknown', ['kind'], `kind '${kindName}' is unknown${near === undefined ? '' : `; did you mean '${near}'?`}`);
  }
  const schema: Schema<OverlaySpecs[OverlayKind]> = overlayTables[kind];
  // An absent spec is an empty one: the message then names the keys it lacks.
  const { metadata, spec } = record<{ metadata: OverlayMetadata; spec: unknown }>(
    {
      metadata: required(metadataTable, 'name, labels and annotations'),
      spec: withDefault<unknown>({ type: schema.type, read: (item) => item }, new Map(), 'what the resource is to be'),
    },
    { ignored: { apiVersion: 'it is read before', kind: 'it is read before', status: 'it is made' } },
  ).read(value, []);
  return { kind, metadata, spec: schema.read(spec, ['spec']) } as OverlayResource;
}

const headerSchema = record<{ apiVersion: string; kind: string }>({
  apiVersion: required(text(), `version of the API, ${overlayApiVersion}`),
  kind: required(text(), 'kind of the resource, such as VPC'),
});

/** The two keys that say how to read the rest. */
function headerOf(value: unknown): unknown {
  if (value instanceof Map) return new Map([...value].filter(([key]) => key === 'apiVersion' || key === 'kind'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key === 'apiVersion' || key === 'kind'));
}

function placeOf(document: YamlDocument, where: string): (path: Path) => string {
  return (path) => {
    const inside = pathText(path);
    return `${where}:${document.lineOf(path)}${inside === '' ? '' : `: ${inside}`}`;
  };
}

/** `spec.prefixes[0]`; keys that are no words stand in brackets. */
function pathText(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w-]+$/.test(step)) return `['${step.slice(0, 80)}']`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}
