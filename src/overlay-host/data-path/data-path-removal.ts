import { existsSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LinuxBpf } from '../../kernel/bpf/linux-bpf.ts';
import { filterHandles } from '../../kernel/netlink/filter-message.ts';
import { removeIngressProgram } from '../../kernel/netlink/ingress-program.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { indexCodec } from '../../overlay/layout/index-key.ts';
import { maps } from '../../overlay/layout/maps.ts';
import { settingsCodec } from '../../overlay/layout/settings.ts';
import { linksFolder, mapsFolder } from './data-path.ts';
import { PinnedLinks, removePin } from './pinned-links.ts';

/**
 * Takes programs and maps of this host out of the kernel: traffic ends. Nothing is loaded for it, so that it also takes away what another
 * version has left. Throws WeatherError.
 */
export function removeDataPath(bpf: LinuxBpf, calls: SocketCalls, folder: string): void {
  const uplink = uplinkOf(bpf, folder);
  if (uplink !== undefined) removeIngressProgram(calls, uplink, filterHandles.transit);
  new PinnedLinks(bpf, join(folder, linksFolder)).detachAll();
  const pins = join(folder, mapsFolder);
  if (existsSync(pins)) {
    for (const name of readdirSync(pins)) removePin(join(pins, name));
    rmdirSync(pins);
  }
  if (isMountPoint(folder)) bpf.unmountBpffs(folder);
}

/** The link whose packets the data path takes; undefined when there is no data path. */
function uplinkOf(bpf: LinuxBpf, folder: string): number | undefined {
  using pinned = bpf.openPinnedMap(join(folder, mapsFolder, maps.settings.name));
  const record = pinned?.map.get(indexCodec.encode({ index: 0 }));
  if (record?.length !== settingsCodec.byteLength) return undefined;
  const { hostId, uplinkIfindex } = settingsCodec.decode(record);
  return hostId === 0 ? undefined : uplinkIfindex;
}

/** One that was mounted for this host alone. */
function isMountPoint(folder: string): boolean {
  return existsSync(folder) && statSync(folder).dev !== statSync(dirname(folder)).dev;
}
