import { SchemaProblem } from '../../management/schema.ts';
import { numberOf, objectOf } from '../control/json-reader.ts';
import { overlayApiVersion, readOverlayResource } from '../resources/resources.ts';
import type { OverlayKind, OverlayResource } from '../resources/resource-types.ts';

/** What the writer of a resource adds to it. */
export interface ResourceStatus {
  /** When it came, on its writer's clock: of two that cannot be together the earlier one counts. */
  readonly created: number;
  /** Of a VPC. */
  readonly vni?: number;
  /** Of a subnet. */
  readonly id?: number;
  /** Of a subnet: the epoch in which it came. */
  readonly epoch?: number;
}

/** A resource as it stands in the catalog. */
export interface ResourceRecord {
  readonly resource: OverlayResource;
  readonly status: ResourceStatus;
}

export const resourcePrefix = 'resource/';

export function resourceKey({ kind, name }: { readonly kind: OverlayKind; readonly name: string }): string {
  return `${resourcePrefix}${kind}/${name}`;
}

export function formatResourceRecord({ resource: { kind, metadata, spec }, status }: ResourceRecord): object {
  return { kind, metadata, spec, status };
}

/** Undefined for what this version cannot read: a host with a newer one may have written it. */
export function parseResourceRecord(value: unknown): ResourceRecord | undefined {
  const { kind, metadata, spec, status } = objectOf(value) ?? {};
  const { created, vni, id, epoch } = objectOf(status) ?? {};
  const time = numberOf(created, Number.MAX_SAFE_INTEGER);
  if (time === undefined) return undefined;
  try {
    const resource = readOverlayResource({ apiVersion: overlayApiVersion, kind, metadata, spec });
    const numbers = { vni: numberOf(vni, 0xffffff), id: numberOf(id, 0xffffff), epoch: numberOf(epoch, 0xffffffff) };
    return {
      resource,
      status: {
        created: time,
        ...(numbers.vni === undefined ? {} : { vni: numbers.vni }),
        ...(numbers.id === undefined ? {} : { id: numbers.id }),
        ...(numbers.epoch === undefined ? {} : { epoch: numbers.epoch }),
      },
    };
  } catch (error) {
    if (error instanceof SchemaProblem) return undefined;
    throw error;
  }
}
