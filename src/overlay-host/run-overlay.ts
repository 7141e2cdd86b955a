import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { LinuxBpf } from '../kernel/bpf/linux-bpf.ts';
import { loadSocketCalls } from '../kernel/netlink/socket-calls.ts';
import { parseConfiguration, type OverlayConfiguration } from './configuration/configuration.ts';
import { removeDataPath } from './data-path/data-path-removal.ts';
import { GatewayLinks } from './gateways/gateway-links.ts';
import { noRules } from './gateways/gateway-rules.ts';
import { HostForwarding } from './gateways/host-forwarding.ts';
import { removeJoinedNamespaces } from './joined/joined-endpoints.ts';
import { OverlayHost } from './overlay-host.ts';
import { applyRules } from './gateways/packet-filter.ts';
import { PodLinks } from './pods/pod-links.ts';
import { StateStore } from './store/state-store.ts';
import { UplinkFeatures } from './data-path/uplink-features.ts';

/** Where it is in a checkout and in what is shipped: beside the program. */
const objectFile = fileURLToPath(new URL('../../bpf/dist/overlay.o', import.meta.url));

/** Throws InputError. */
export function readConfiguration(file: string): OverlayConfiguration {
  return parseConfiguration(readText(file), resolve(file), readText);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError('missing-file', file, `cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`, { cause });
  }
}

/** Runs the daemon until a signal comes; at SIGHUP it reads its configuration again. Traffic goes on after the end. Throws InputError or WeatherError. */
export async function runOverlay(configurationFile: string, log: Logger): Promise<number> {
  const reread = (): OverlayConfiguration => readConfiguration(configurationFile);
  const configuration = reread();
  const { promise, resolve: end, reject } = Promise.withResolvers<NodeJS.Signals>();
  // What fails before it is awaited is thrown there.
  promise.catch(() => undefined);
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  await using host = await OverlayHost.start({ configuration, reread, configurationFile, objectFile, log, failed: reject });
  const again = (): void => {
    host.reload().catch((error: Error) => {
      if (error instanceof WeatherError) log.warn('the configuration is not taken', { reason: error.message });
      else reject(error);
    });
  };
  process.on('SIGHUP', again);
  const signal = await promise;
  process.off('SIGHUP', again);
  log.info('stopping; the pods keep their network', { signal });
  return 0;
}

/** Takes the overlay off this host: programs, maps, gateways and the pods' links. The daemon must not run. */
export async function removeOverlay(configuration: OverlayConfiguration, log: Logger): Promise<void> {
  const calls = loadSocketCalls();
  await using links = new PodLinks(calls);
  const found = links.list();
  await Promise.all(found.map(({ key }) => links.remove(key)));
  const gateways = new GatewayLinks({ calls, transmitChecksumOffload: false });
  const { whole, broken } = gateways.list();
  for (const vni of [...whole.map((gateway) => gateway.vni), ...broken]) await gateways.remove(vni);
  if (whole.some(({ hasWayOut }) => hasWayOut)) await applyRules(calls, noRules());
  removeJoinedNamespaces(calls);
  const bpf = new LinuxBpf();
  try {
    removeDataPath(bpf, calls, configuration.bpfFolder);
  } finally {
    bpf.close();
  }
  if (existsSync(configuration.stateFolder)) {
    await using store = await StateStore.open(configuration.stateFolder, log);
    await new UplinkFeatures(calls, store, log).restore();
    await new HostForwarding(store).restore();
  }
  log.info('the overlay is removed from this host', { pods: found.length });
}
