import type { CatalogView } from '../../overlay/catalog/catalog-view.ts';
import type { Networks } from '../../overlay/catalog/networks.ts';
import type { AttachmentKey } from '../../overlay/cni/cni-environment.ts';
import { keyText } from '../../overlay/cni/journal.ts';
import type { Attachment, AttachmentRequest, NetworkStatus, PodNetwork } from '../../overlay/cni/pod-network.ts';
import type { LocalEndpoint } from '../../overlay/control/host-maps.ts';
import { podNameKey, podNamePrefix, type PodNameRecord } from '../../overlay/dns/name-table.ts';
import type { Names } from './names.ts';

export interface NamedPodsOptions {
  readonly network: PodNetwork;
  readonly names: Pick<Names, 'settingsFor' | 'serves' | 'update'>;
  readonly networks: () => Networks;
  readonly catalog: CatalogView;
  /** Of a container's interface here. */
  readonly endpointOf: (key: AttachmentKey) => LocalEndpoint | undefined;
  /** Name of this host. */
  readonly hostName: string;
  /** Sets or, with undefined, deletes a record of the catalog. */
  readonly record: (key: string, value: object | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** Pods that are told where to ask for names, and that others find by theirs. */
export class NamedPods implements PodNetwork {
  readonly #options: NamedPodsOptions;
  /** Keys of records in the catalog, by the text of the attachment. */
  readonly #records = new Map<string, string>();

  constructor(options: NamedPodsOptions) {
    this.#options = options;
    for (const [key] of options.catalog.entries(podNamePrefix)) {
      const [, , , host, attachment = ''] = key.split('/');
      if (host === options.hostName) this.#records.set(attachment, key);
    }
  }

  async add(request: AttachmentRequest): Promise<Attachment> {
    const { network, names, networks, endpointOf, hostName, record, failed } = this.#options;
    const { key, name } = request;
    const attachment = await network.add(request);
    const endpoint = endpointOf(key);
    // Its lease may have ended meanwhile.
    if (endpoint === undefined) return attachment;
    if (!names.serves(endpoint)) names.update().catch(failed);
    const vpc = networks().vpcs.find(({ vni }) => vni === endpoint.vni);
    if (name !== undefined && vpc !== undefined && vpc.dns !== 'off') {
      const recordKey = podNameKey(vpc.name, name, hostName, keyText(key));
      const addresses = attachment.addresses.map(({ address }) => address.split('/')[0] ?? '');
      record(recordKey, { addresses } satisfies PodNameRecord);
      this.#records.set(keyText(key), recordKey);
    }
    return { ...attachment, dns: names.settingsFor(endpoint.subnetId) };
  }

  async delete(key: AttachmentKey): Promise<void> {
    const { network, names, record, failed } = this.#options;
    const recordKey = this.#records.get(keyText(key));
    if (recordKey !== undefined) {
      this.#records.delete(keyText(key));
      record(recordKey, undefined);
    }
    await network.delete(key);
    names.update().catch(failed);
  }

  /** Names of pods that were deleted while no daemon could tell. */
  forgetOthers(known: readonly AttachmentKey[]): void {
    const texts = new Set(known.map(keyText));
    for (const [attachment, key] of this.#records) {
      if (texts.has(attachment)) continue;
      this.#records.delete(attachment);
      this.#options.record(key, undefined);
    }
  }

  check(key: AttachmentKey, netns: string, attachment: Attachment): Promise<void> {
    return this.#options.network.check(key, netns, attachment);
  }

  status(): Promise<NetworkStatus> {
    return this.#options.network.status();
  }

  list(): Promise<readonly AttachmentKey[]> {
    return this.#options.network.list();
  }
}
