import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { keyText, type AttachmentJournal, type JournalRecord } from './journal.ts';
import type { AttachmentKey } from './cni-environment.ts';
import { cniCode, CniError } from './cni-error.ts';
import type { Attachment, AttachmentRequest, NetworkStatus, PodNetwork } from './pod-network.ts';

/** A host whose interfaces are entries of a map. It is what outlives the daemon. */
export class MemoryPodNetwork implements PodNetwork {
  /** What exists, with the namespace it is in. An entry without an attachment is one half made. */
  readonly interfaces: Map<string, { readonly key: AttachmentKey; readonly netns: string; readonly attachment: Attachment | undefined }> =
    new Map();
  readonly requests: AttachmentRequest[] = [];
  readonly #busy = new Set<string>();
  status_: NetworkStatus = { ready: true };
  /** Called at each step; what it throws fails the step, what it waits for holds it up. */
  step: (name: 'add' | 'added' | 'delete' | 'check' | 'list', key?: AttachmentKey) => unknown = () => undefined;

  async add(request: AttachmentRequest): Promise<Attachment> {
    const { key, netns } = request;
    return this.#alone(key, async () => {
      this.requests.push(request);
      await this.step('add', key);
      if (this.interfaces.has(keyText(key))) throw new CniError(cniCode.attachmentExists, 'made twice');
      this.interfaces.set(keyText(key), { key, netns, attachment: undefined });
      await turnOfTheLoop();
      await this.step('added', key);
      const number = this.#freeNumber();
      const attachment: Attachment = {
        host: { name: `cv${number}`, mac: mac(0xee, number), mtu: 1418 },
        container: { name: key.ifname, mac: mac(0x02, number), mtu: 1418 },
        addresses: [
          { address: `10.1.${number >> 8}.${number & 255}/16`, gateway: '10.1.0.1' },
          { address: `fd00:1::${number.toString(16)}/64`, gateway: 'fd00:1::1' },
        ],
        routes: [
          { destination: '0.0.0.0/0', gateway: '10.1.0.1' },
          { destination: '::/0', gateway: 'fd00:1::1' },
        ],
        dns: undefined,
      };
      this.interfaces.set(keyText(key), { key, netns, attachment });
      return attachment;
    });
  }

  async delete(key: AttachmentKey): Promise<void> {
    await this.#alone(key, async () => {
      await turnOfTheLoop();
      await this.step('delete', key);
      this.interfaces.delete(keyText(key));
    });
  }

  async check(key: AttachmentKey, netns: string, attachment: Attachment): Promise<void> {
    await this.#alone(key, async () => {
      await this.step('check', key);
      const found = this.interfaces.get(keyText(key));
      if (found === undefined || found.netns !== netns || found.attachment?.container.mac !== attachment.container.mac) {
        throw new CniError(cniCode.checkFailed, `${key.ifname} is not there`);
      }
    });
  }

  status(): Promise<NetworkStatus> {
    return Promise.resolve(this.status_);
  }

  async list(): Promise<readonly AttachmentKey[]> {
    await this.step('list');
    return [...this.interfaces.values()].map(({ key }) => key);
  }

  /** The texts of all addresses given, each once if all is well. */
  addresses(): readonly string[] {
    return [...this.interfaces.values()].flatMap(({ attachment }) => attachment?.addresses.map(({ address }) => address) ?? []);
  }

  #freeNumber(): number {
    const taken = new Set([...this.interfaces.values()].map(({ attachment }) => attachment?.host.name));
    let number = 2;
    while (taken.has(`cv${number}`)) number++;
    return number;
  }

  /** Two things at once with one interface are a bug of who calls. */
  async #alone<T>(key: AttachmentKey, work: () => Promise<T>): Promise<T> {
    const text = keyText(key);
    if (this.#busy.has(text)) throw new Error(`two operations on ${text} at once`);
    this.#busy.add(text);
    try {
      return await work();
    } finally {
      this.#busy.delete(text);
    }
  }

  /** The daemon is gone: what it held is free. */
  forgetBusy(): void {
    this.#busy.clear();
  }
}

function mac(first: number, number: number): string {
  return [first, 0, 0, 0, number >> 8, number & 255].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/** A journal that outlives the daemon. */
export class MemoryJournal implements AttachmentJournal {
  readonly records: JournalRecord[] = [];
  step: (record: JournalRecord) => unknown = () => undefined;

  async append(record: JournalRecord): Promise<void> {
    await this.step(record);
    this.records.push(record);
  }
}

export const keyA: AttachmentKey = { containerId: 'aaaa', ifname: 'eth0' };

/** The request that the plugin makes of a call. */
export function requestOf(
  command: string,
  options: { key?: AttachmentKey; netns?: string; parameters?: string; version?: string; config?: object } = {},
): Uint8Array<ArrayBuffer> {
  const { key = keyA, netns = '/run/netns/a', parameters = '', version = '1.1.0', config = {} } = options;
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: key.containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: key.ifname,
    CNI_ARGS: parameters,
  };
  return new TextEncoder().encode(
    JSON.stringify({ env, config: JSON.stringify({ cniVersion: version, name: 'pods', type: 'caravan-cni', ...config }) }),
  );
}
