import type { KnownRecord } from '../flows/network-model.ts';
import { Attribute } from '../flows/record-types.ts';
import { deviseId } from './skupper-identities.ts';

/** What stands where nobody has told anything. */
export const unknown = 'unknown';

export interface Place {
  readonly id: string;
  readonly name: string;
}

/** What all records have. */
export function baseFields(record: KnownRecord): { identity: string; startTime: number; endTime: number } {
  const startTime = number(record, Attribute.startTime);
  const endTime = number(record, Attribute.endTime);
  return { identity: identity(record), startTime: startTime === 0 ? Math.floor(record.firstSeenMs * 1000) : startTime, endTime };
}

export function serviceId(address: string, protocol: string): string {
  return deviseId('adr', address, protocol);
}

export function identity(record: KnownRecord): string {
  return text(record, Attribute.identity, '');
}

export function text(record: KnownRecord, attribute: number, otherwise: string): string {
  const value = record.attributes.get(attribute);
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : otherwise;
}

export function textOrNull(record: KnownRecord, attribute: number): string | null {
  const value = record.attributes.get(attribute);
  return typeof value === 'string' ? value : null;
}

export function number(record: KnownRecord, attribute: number): number {
  const value = record.attributes.get(attribute);
  return typeof value === 'number' ? Math.floor(value) : 0;
}
