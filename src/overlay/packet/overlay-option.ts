import { addressBytes, macBytes } from './address.ts';
import type { GeneveOption } from './geneve.ts';
import { readU16, readU32, writeU16, writeU32 } from './octets.ts';

/** The class of all options of the overlay: in the range for experiments (RFC 8926, section 7). */
export const overlayOptionClass = 0xff76;
export const overlayOptionType = { location: 0x01, moved: 0x82, forward: 0x83, route: 0x04 } as const;

/**
 * `destination`: speaks of the inner destination, not of the source. `final`: must not be sent back once more. `noPath`: the sender has
 * no path to the inner destination, so it wants to be told. `asksWho`: it may not send to whom it does not know, so the packet goes back with
 * who the inner destination is.
 */
export const locationFlag = { destination: 1, final: 2, noPath: 4, asksWho: 8 } as const;

/**
 * Where an endpoint lives, and its identity. The endpoint is the inner packet's: source, sender of an ARP or target of an advertisement.
 *
 * ```text
 * host id 4 | host generation 4 | endpoint generation 4 | identity 4 | flags 2 | MAC 6
 * ```
 */
export interface Location {
  readonly hostId: number;
  readonly hostGeneration: number;
  readonly endpointGeneration: number;
  /** Of the endpoint's labels; 0 without any. */
  readonly identity: number;
  readonly flags: number;
  readonly mac: Uint8Array;
}

/** The inner destination is not here any more; critical. `endpointGeneration` 4, 0 if unknown. */
export interface Moved {
  readonly endpointGeneration: number;
}

/**
 * Which backend a service's connection goes to; critical.
 *
 * ```text
 * backend's address 16 | port 2 | flags 2 | host id 4 | service's generation 4
 * ```
 */
export interface Forward {
  readonly address: Uint8Array;
  readonly port: number;
  readonly flags: number;
  readonly hostId: number;
  readonly serviceGeneration: number;
}

/**
 * Which table of owners a prefix has.
 *
 * ```text
 * prefix 16 | its length 1, in bits of 128 | 0 0 0 | table id 4 | epoch 4
 * ```
 */
export interface Route {
  readonly prefix: Uint8Array;
  readonly prefixBits: number;
  readonly tableId: number;
  readonly epoch: number;
}

const locationBytes = 24;
const movedBytes = 4;
const forwardBytes = 28;
const routeBytes = 28;

export function encodeLocation(location: Location): GeneveOption {
  const body = new Uint8Array(locationBytes);
  writeU32(body, 0, location.hostId);
  writeU32(body, 4, location.hostGeneration);
  writeU32(body, 8, location.endpointGeneration);
  writeU32(body, 12, location.identity);
  writeU16(body, 16, location.flags);
  body.set(location.mac, 18);
  return { class: overlayOptionClass, type: overlayOptionType.location, body };
}

export function encodeMoved(moved: Moved): GeneveOption {
  const body = new Uint8Array(movedBytes);
  writeU32(body, 0, moved.endpointGeneration);
  return { class: overlayOptionClass, type: overlayOptionType.moved, body };
}

export function encodeForward(forward: Forward): GeneveOption {
  const body = new Uint8Array(forwardBytes);
  body.set(forward.address, 0);
  writeU16(body, 16, forward.port);
  writeU16(body, 18, forward.flags);
  writeU32(body, 20, forward.hostId);
  writeU32(body, 24, forward.serviceGeneration);
  return { class: overlayOptionClass, type: overlayOptionType.forward, body };
}

export function encodeRoute(route: Route): GeneveOption {
  const body = new Uint8Array(routeBytes);
  body.set(route.prefix, 0);
  body[16] = route.prefixBits;
  writeU32(body, 20, route.tableId);
  writeU32(body, 24, route.epoch);
  return { class: overlayOptionClass, type: overlayOptionType.route, body };
}

/** `unknown` is an option of another class or type. */
export type OverlayOption =
  | ({ readonly kind: 'location' } & Location)
  | ({ readonly kind: 'moved' } & Moved)
  | ({ readonly kind: 'forward' } & Forward)
  | ({ readonly kind: 'route' } & Route)
  | { readonly kind: 'unknown' };

/** Undefined when the body of a known option has another length than it must have. Addresses and MACs are views of the body. */
export function decodeOverlayOption(option: GeneveOption): OverlayOption | undefined {
  if (option.class !== overlayOptionClass) return { kind: 'unknown' };
  const { body } = option;
  switch (option.type) {
    case overlayOptionType.location:
      if (body.length !== locationBytes) return undefined;
      return {
        kind: 'location',
        hostId: readU32(body, 0),
        hostGeneration: readU32(body, 4),
        endpointGeneration: readU32(body, 8),
        identity: readU32(body, 12),
        flags: readU16(body, 16),
        mac: body.subarray(18, 18 + macBytes),
      };
    case overlayOptionType.moved:
      if (body.length !== movedBytes) return undefined;
      return { kind: 'moved', endpointGeneration: readU32(body, 0) };
    case overlayOptionType.forward:
      if (body.length !== forwardBytes) return undefined;
      return {
        kind: 'forward',
        address: body.subarray(0, addressBytes),
        port: readU16(body, 16),
        flags: readU16(body, 18),
        hostId: readU32(body, 20),
        serviceGeneration: readU32(body, 24),
      };
    case overlayOptionType.route:
      if (body.length !== routeBytes) return undefined;
      return {
        kind: 'route',
        prefix: body.subarray(0, addressBytes),
        prefixBits: body[16]!,
        tableId: readU32(body, 20),
        epoch: readU32(body, 24),
      };
    default:
      return { kind: 'unknown' };
  }
}
