import type { Labels } from '../resources/resource-types.ts';
import type { AttachmentKey, PodReference } from './cni-environment.ts';

/** What CNI needs of the network. The daemon of a host offers it. */

/** What a container is to get. */
export interface AttachmentRequest {
  readonly key: AttachmentKey;
  /** Path of the network namespace, as this host's mounts have it. */
  readonly netns: string;
  /** The pod, when a kubelet asks; others have no names for what they start. */
  readonly pod: PodReference | undefined;
  /** Names from the configuration: where pods go about which nothing else is said. */
  readonly vpc: string | undefined;
  readonly subnet: string | undefined;
  /** Addresses that the runtime wants, without a prefix length; empty when any will do. */
  readonly addresses: readonly string[];
  readonly mac: string | undefined;
  /** What services and policies select it by. */
  readonly labels: Labels;
  /** What others of its VPC may call it; undefined when it is to have no name. */
  readonly name: string | undefined;
}

export interface AttachedInterface {
  readonly name: string;
  /** Lower case, with colons. */
  readonly mac: string;
  readonly mtu: number;
}

export interface AttachedAddress {
  /** With the length of its subnet's prefix: `10.0.0.5/24`. */
  readonly address: string;
  readonly gateway: string | undefined;
}

export interface AttachedRoute {
  readonly destination: string;
  readonly gateway: string | undefined;
}

export interface DnsSettings {
  readonly nameservers: readonly string[];
  readonly domain: string | undefined;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** What has been made for a container. Plain data: it is kept in the journal as JSON. */
export interface Attachment {
  /** The end of the pair that stays with the host. */
  readonly host: AttachedInterface;
  readonly container: AttachedInterface;
  readonly addresses: readonly AttachedAddress[];
  readonly routes: readonly AttachedRoute[];
  readonly dns: DnsSettings | undefined;
}

/** `limited`: containers that run already feel it too. */
export type NetworkStatus =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string; readonly containers: 'unharmed' | 'limited' };

/** All of it may be called again after a crash, for whatever has been begun. Failures: CniError or WeatherError. */
export interface PodNetwork {
  /** Makes the interface; fails with `attachmentExists` when the namespace has one of that name. Whatever it began when it fails, `delete` removes. */
  add(request: AttachmentRequest): Promise<Attachment>;
  /** Removes all that `add` made for `key`, and nothing that others made. Nothing to remove is fine, and so is a namespace that is gone. */
  delete(key: AttachmentKey): Promise<void>;
  /** Fails with `checkFailed` when something is not as it was made, or the container cannot be reached. */
  check(key: AttachmentKey, netns: string, attachment: Attachment): Promise<void>;
  status(): Promise<NetworkStatus>;
  /** Everything that exists for containers, whoever remembers it: what GC looks through. */
  list(): Promise<readonly AttachmentKey[]>;
}
