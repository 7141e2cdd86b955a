import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { WeatherError } from '../../base/errors.ts';
import type { StateStore } from '../store/state-store.ts';

const storePrefix = 'daemon/setting/';
const settingsFolder = '/proc/sys/net';
const forwarding = { ipv4: 'ipv4/ip_forward', ipv6: 'ipv6/conf/all/forwarding' } as const;

/** Settings of this host's kernel that ways out need: what they were before is remembered, and comes back. */
export class HostForwarding {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Families that are forwarded for the sake of gateways alone: before that, this host forwarded nothing. */
  get families(): readonly ('ipv4' | 'ipv6')[] {
    return (['ipv4', 'ipv6'] as const).filter((family) => this.#store.get(storePrefix + forwarding[family]) !== undefined);
  }

  /** Packets of these families go from link to link from now on. Rejects with WeatherError when it cannot be remembered. */
  async switchOn(families: readonly ('ipv4' | 'ipv6')[]): Promise<void> {
    const missing = families.filter((family) => readSetting(forwarding[family]) === '0');
    if (missing.length === 0) return;
    // A host that forwards IPv6 would no longer heed the advertisements of its own routers.
    const heeding = missing.includes('ipv6') ? acceptingRouters() : [];
    const changes = [
      ...heeding.map((path) => ({ path, value: '2' })),
      ...missing.map((family) => ({ path: forwarding[family], value: '1' })),
    ];
    for (const { path } of changes) this.#store.set(storePrefix + path, readSetting(path));
    await this.#store.saved();
    for (const { path, value } of changes) writeSetting(path, value);
  }

  /** Puts back what was before. Rejects with WeatherError. */
  async restore(): Promise<void> {
    const known = [...this.#store.entries()].filter(([key, value]) => key.startsWith(storePrefix) && typeof value === 'string');
    for (const [key, value] of known.toReversed()) {
      const path = key.slice(storePrefix.length);
      // A link that is gone has taken its settings with it.
      if (readSetting(path) !== undefined) writeSetting(path, value as string);
      this.#store.set(key, undefined);
    }
    await this.#store.saved();
  }
}

function acceptingRouters(): readonly string[] {
  return readdirSync(`${settingsFolder}/ipv6/conf`)
    .map((link) => `ipv6/conf/${link}/accept_ra`)
    .filter((path) => readSetting(path) === '1');
}

/** In the namespace of the calling thread. Undefined when this kernel has none of that name. */
function readSetting(path: string): string | undefined {
  try {
    return readFileSync(`${settingsFolder}/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** In the namespace of the calling thread. Throws WeatherError. */
export function writeSetting(path: string, value: string): void {
  try {
    writeFileSync(`${settingsFolder}/${path}`, value);
  } catch (cause) {
    throw new WeatherError('kernel-setting', `${settingsFolder}/${path} cannot be set to ${value}: ${(cause as Error).message}`, { cause });
  }
}
