import type { AddressHex, MacHex } from '../overlay/control/address.ts';
import type { LocalEndpoint } from '../overlay/control/host-maps.ts';
import type { MoveTicket } from '../overlay/control/local-endpoints.ts';
import type { Labels } from '../overlay/resources/resource-types.ts';

/** What a pod asks of the control. */
export interface PlacementRequest {
  readonly subnetId: number;
  /** The root side of its link. */
  readonly ifindex: number;
  readonly mac: MacHex;
  /** Addresses that the user has chosen. */
  readonly fixed: readonly AddressHex[];
  /** What services and policies select it by. */
  readonly labels: Labels;
}

/** The addresses of a pod, and the word of their owners. */
export interface Placement {
  /** As soon as the addresses are known: the maps are written, the owners are being told. */
  readonly placed: Promise<LocalEndpoint>;
  /** The owners know it. Rejects as `placed` does. */
  readonly known: Promise<void>;
}

/** Endpoints as the pods' side sees the control. Failures are WeatherErrors. */
export interface Placements {
  place(request: PlacementRequest): Placement;
  /** The endpoint that was at another host, with the addresses that it had there. */
  moveIn(ifindex: number, ticket: MoveTicket): Placement;
  /** Takes the endpoint of a link away; there may be none. */
  remove(ifindex: number): Promise<void>;
  endpoint(ifindex: number): LocalEndpoint | undefined;
}
