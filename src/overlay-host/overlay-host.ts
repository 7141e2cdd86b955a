import { randomInt } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { lockFolder } from '../host/folder-lock.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { LinuxBpf } from '../kernel/bpf/linux-bpf.ts';
import { loadInternetCalls } from '../kernel/netlink/namespace-sockets.ts';
import { loadSocketCalls } from '../kernel/netlink/socket-calls.ts';
import { CniService } from '../overlay/cni/cni-service.ts';
import { keyText } from '../overlay/cni/journal.ts';
import { Catalog } from '../overlay/catalog/catalog.ts';
import type { NumberedVpc } from '../overlay/catalog/networks.ts';
import { ResourceBook } from '../overlay/catalog/resource-book.ts';
import { addressHex } from '../overlay/control/address.ts';
import { HostControl } from '../overlay/control/host-control.ts';
import { messageLimits } from '../overlay/control/messages.ts';
import type { TableEpoch } from '../overlay/control/spec.ts';
import { AttachmentFile } from './store/attachment-file.ts';
import { CatalogLoop, catalogStorePrefix } from './catalog-loop.ts';
import { openCniServer } from './pods/cni-server.ts';
import type { ConfiguredHost, OverlayConfiguration } from './configuration/configuration.ts';
import { ControlLoop } from './control-loop.ts';
import { DataPath } from './data-path/data-path.ts';
import { EndpointKeeper } from './pods/endpoint-keeper.ts';
import { formerTenants } from './former-tenants.ts';
import { GatewayLinks } from './gateways/gateway-links.ts';
import { Gateways } from './gateways/gateways.ts';
import { HostForwarding } from './gateways/host-forwarding.ts';
import { HostProbes } from './peers/host-probes.ts';
import { HostJoinedEndpoints } from './joined/joined-endpoints.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { NamedPods } from './names/named-pods.ts';
import { Names } from './names/names.ts';
import {
  egressHosts,
  egressTableUser,
  egressTableUsers,
  overlaySpec,
  podMtu,
  prefixesWithMtu,
  subnetTableUser,
  subnetTableUsers,
  withEpoch,
} from './overlay-spec.ts';
import { openOperatorSocket, type Operations } from './operator/operator-socket.ts';
import { overlayStatus } from './overlay-status.ts';
import { PeerMesh } from './peers/peer-mesh.ts';
import { PodLinks } from './pods/pod-links.ts';
import { HostPodNetwork } from './pods/pod-network.ts';
import { checkReload } from './reload.ts';
import { ResourceOperations } from './operator/resource-operations.ts';
import { StateStore } from './store/state-store.ts';
import { SubnetUse } from './subnet-use.ts';
import { TableSlots } from './table-slots.ts';
import { TraceRunner } from './data-path/trace-runner.ts';
import { Tracer } from './operator/tracer.ts';
import { Underlay } from './data-path/underlay.ts';
import { UplinkFeatures } from './data-path/uplink-features.ts';
import { isVirtual } from './data-path/uplink-transit.ts';

export interface OverlayHostOptions {
  readonly configuration: OverlayConfiguration;
  /** Reads the configuration again. Throws InputError. */
  readonly reread: () => OverlayConfiguration;
  /** Where it stands, for errors. */
  readonly configurationFile: string;
  /** Programs and maps, compiled. */
  readonly objectFile: string;
  readonly log: Logger;
  /** The daemon cannot go on. */
  readonly failed: (error: Error) => void;
}

/** Keys of the store that are the daemon's own; the others are the control's. */
const generationKey = 'daemon/generation';
const epochsKey = 'daemon/epochs';
const peerKeyPrefix = 'daemon/peer/';
/** The kernel may learn another next hop, and lets entries that nobody asks for grow old. */
const nextHopsEveryMs = 5000;
/** Numbers of networks rest for a day. */
const sweepEveryMs = 600_000;
const dayMs = 86_400_000;
/** Of a refresh for hosts that have connected, from the first of them; a long one is waited for several times as long. */
const leastRefreshMs = 10;
const refreshShare = 4;
/** While one is missing. */
const missingHopsEveryMs = 100;

/**
 * The daemon of one host: opens the data path, which goes on without it, and keeps it right.
 *
 *   plugin ──► CniService ──► HostPodNetwork ──► links, addresses (rtnetlink)
 *                                    └──► ControlLoop ──► maps, messages to other hosts, state on the disk
 */
export class OverlayHost implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #reload: () => Promise<unknown>;

  private constructor(stack: AsyncDisposableStack, reload: () => Promise<unknown>) {
    this.#stack = stack;
    this.#reload = reload;
  }

  /** Reads the configuration again: hosts, epoch and resources may be others. Throws InputError or WeatherError. */
  async reload(): Promise<void> {
    await this.#reload();
  }

  /** Throws WeatherError or InputError. */
  static async start(options: OverlayHostOptions): Promise<OverlayHost> {
    await using stack = new AsyncDisposableStack();
    let { configuration } = options;
    const { objectFile, log, failed } = options;
    const { self, stateFolder, bpfFolder, agent } = configuration;
    await mkdir(stateFolder, { recursive: true, mode: 0o700 });
    stack.use(await lockFolder(stateFolder));
    const store = stack.use(await StateStore.open(stateFolder, log));
    const calls = loadSocketCalls();
    const underlay = stack.use(new Underlay(calls, configuration.uplink, self.address, log));
    const { link } = underlay.uplink;

    const bpf = stack.adopt(new LinuxBpf(), (opened) => opened.close());
    const dataPath = stack.use(new DataPath({ bpf, calls, objectFile, folder: bpfFolder, agent }));
    const found = dataPath.settings();
    if (found !== undefined && found.hostId !== self.hostId) {
      throw new WeatherError('other-host', `${bpfFolder} has the maps of host ${found.hostId}, not of ${self.hostId}`, {
        remedy: 'name another bpfFolder, or run van overlay remove',
      });
    }
    // From the clock, so that a host which has lost its disk does not fall behind what the others know of it.
    const generation =
      found?.hostGeneration ?? Math.max(numberOr(store.get(generationKey), 0) + 1, Math.floor(processClock.wallMs() / 1000));
    store.set(generationKey, generation);
    let epochs: readonly TableEpoch[] = withEpoch(store.get(epochsKey), configuration);
    store.set(epochsKey, epochs);
    await store.saved();

    const catalog = new Catalog({
      hostId: self.hostId,
      random: processRandom(),
      stored: [...store.entries()].flatMap(([key, value]) =>
        key.startsWith(catalogStorePrefix) ? [[key.slice(catalogStorePrefix.length), value] as const] : [],
      ),
      nowMs: processClock.wallMs(),
      hasOthers: () => configuration.hosts.length > 1,
    });
    const book = new ResourceBook({
      catalog,
      hostId: self.hostId,
      files: configuration.resources,
      epoch: () => configuration.epoch,
      isHost: (hostId) => configuration.hosts.some((host) => host.hostId === hostId),
    });
    const slots = new TableSlots(store);

    const control = new HostControl({
      self: {
        hostId: self.hostId,
        generation,
        uplinkIfindex: link.index,
        underlayMtu: link.mtu,
        address: addressHex(self.address),
        mac: link.mac.toHex(),
      },
      random: processRandom(),
      stored: [...store.entries()].filter(([key]) => !key.startsWith('daemon/') && !key.startsWith(catalogStorePrefix)),
      catalog,
      resources: () => book.networks(),
      today: () => Math.floor(processClock.wallMs() / dayMs),
      bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    });
    let told = '';
    /** Tells the control when something has changed; true when nothing is missing. */
    const refreshSpec = (): boolean => {
      const others = configuration.hosts.filter(({ hostId }) => hostId !== self.hostId);
      const hops = underlay.nextHops(others.map(({ address }) => address));
      const addressOf = new Map(others.map(({ hostId, address }) => [hostId, address]));
      const spec = overlaySpec({
        configuration,
        epochs,
        networks: book.networks(),
        tableSlot: (user) => slots.of(user),
        underlayMtu: link.mtu,
        known: (hostId) =>
          hostId === self.hostId
            ? { generation, mac: link.mac.toHex() }
            : {
                generation: numberOr(store.get(peerKeyPrefix + hostId), undefined),
                mac: hops.get(addressOf.get(hostId) ?? ''),
                mtu: underlay.mtuTo(addressOf.get(hostId) ?? ''),
              },
      });
      const text = JSON.stringify(spec);
      if (text !== told) {
        told = text;
        const missing = book.networks().subnets.length - spec.subnets.length;
        if (missing > 0) log.warn('subnets are left out: the data path has no owner tables for more', { subnets: missing });
        if (!control.setSpec(spec, monotonicMs())) {
          throw new WeatherError(
            'old-epoch',
            `the configuration is of epoch ${configuration.epoch}, this host has known ${control.epoch}`,
            {
              remedy: 'give it the newest list of hosts',
            },
          );
        }
      }
      slots.keep(egressTableUsers, new Set(book.networks().vpcs.map(({ vni }) => egressTableUser(vni))));
      slots.keep(subnetTableUsers, new Set(book.networks().subnets.map(({ subnetId }) => subnetTableUser(subnetId))));
      return others.every(({ address }) => hops.get(address) !== undefined);
    };
    refreshSpec();

    const links = stack.use(new PodLinks(calls));
    const indexes = links.list().map(({ link: { index } }) => index);
    for (const { ifindex } of control.endpoints) if (!indexes.includes(ifindex)) control.delete(ifindex, monotonicMs());
    const gateways: Gateways = await Gateways.open({
      calls,
      links: new GatewayLinks({ calls, transmitChecksumOffload: agent !== 'xdp' }),
      forwarding: new HostForwarding(store),
      agents: dataPath.agents,
      log: log.child('gateways'),
      mtu: podMtu(link.mtu),
      underlayMtu: link.mtu,
      hosts: () => configuration.hosts.map(({ address }) => addressHex(address)),
      prefixesOf: (vni) => prefixesWithMtu(book.networks(), vni, podMtu(link.mtu)),
      changed: (local) => {
        control.setGateways(local);
        loop.act();
      },
    });
    stack.defer(() => gateways.idle());
    control.setGateways(gateways.local);
    dataPath.apply(control.reconcile(dataPath.contents(), monotonicMs()));
    const { transit: mode, xdpMode } = configuration;
    const transit = dataPath.adopt({ link, mode, xdpMode, formerIndex: found?.uplinkIfindex }, [
      ...indexes,
      ...gateways.local.map(({ ifindex }) => ifindex),
    ]);
    const features = new UplinkFeatures(calls, store, log);
    // Whoever sends to a host that takes packets by tc must heed it, whatever it does itself.
    await (transit.mode === 'tc' || isVirtual(link) ? features.switchOff(link.name) : features.restore());

    const loop: ControlLoop = new ControlLoop({
      control,
      dataPath,
      store,
      failed,
      log: log.child('control'),
      send: (to, text) => mesh.send(to, text),
      record: ({ key, value }) => record(key, value),
      cut: ({ ifindex }) => {
        dataPath.agents.forget(ifindex);
        const cut = links.list().find((candidate) => candidate.link.index === ifindex);
        if (cut !== undefined) links.remove(cut.key).catch((error: Error) => log.warn(error.message));
        use?.count();
      },
    });
    const internet = loadInternetCalls(calls);
    const names = stack.use(
      new Names({
        calls,
        internet,
        gateways,
        networks: () => book.networks(),
        catalog,
        endpoints: () => control.endpoints,
        resolverFile: '/etc/resolv.conf',
        nowMs: monotonicMs,
        log: log.child('names'),
      }),
    );
    let use: SubnetUse | undefined;
    let keeper: EndpointKeeper | undefined;
    /** A record that the daemon itself writes. */
    const record = (key: string, value: unknown): void => {
      try {
        if (value === undefined) catalogLoop.delete(key);
        else catalogLoop.set(key, value);
      } catch (error) {
        if (!(error instanceof WeatherError)) throw error;
        log.warn('the catalog does not take a record', { key, reason: error.message });
      }
    };
    let networksInUse = book.networks();
    let networksOfGateways = networksInUse;
    /** What fails with the kernel is logged there, and tried again by the next call. */
    const updateGateways = async (): Promise<void> => {
      const networks = book.networks();
      const isHere = (vpc: NumberedVpc): boolean => egressHosts(vpc, configuration)?.includes(self.hostId) === true;
      await gateways.setWaysOut(new Set(networks.vpcs.filter(isHere).map(({ vni }) => vni)));
      if (networks === networksOfGateways) return;
      networksOfGateways = networks;
      await gateways.routesChanged();
    };
    /** Everything that follows from the catalog does so here: called soon after each change of it, once for all that came together. */
    const catalogChanged = (): void => {
      const networks = book.networks();
      const areOthers = networks !== networksInUse;
      const former = formerTenants(networksInUse, networks);
      networksInUse = networks;
      if (areOthers) refreshSpec();
      control.catalogChanged(monotonicMs());
      loop.act();
      dataPath.forget(former);
      if (areOthers) {
        use?.count();
        keeper?.act();
        names.update().catch(failed);
      }
      updateGateways().catch(failed);
    };
    const catalogLoop: CatalogLoop = new CatalogLoop({
      catalog,
      store,
      failed,
      send: (to, text) => mesh.send(to, text),
      changed: catalogChanged,
      nowMs: () => processClock.wallMs(),
      log: log.child('catalog'),
    });
    const otherHosts = (): readonly ConfiguredHost[] => configuration.hosts.filter(({ hostId }) => hostId !== self.hostId);
    let refreshing: NodeJS.Timeout | undefined;
    let refreshMs = 0;
    stack.defer(() => clearTimeout(refreshing));
    /** Once for all hosts that connect in one moment: of a large overlay all do at the start, and each refresh looks at all. */
    const refreshSoon = (): void => {
      refreshing ??= setTimeout(
        () => {
          refreshing = undefined;
          const startMs = monotonicMs();
          try {
            refreshSpec();
          } catch (error) {
            failed(error as Error);
          }
          loop.act();
          refreshMs = monotonicMs() - startMs;
        },
        Math.max(leastRefreshMs, refreshShare * refreshMs),
      );
    };
    const mesh: PeerMesh = await PeerMesh.open({
      hello: { hostId: self.hostId, generation },
      address: self.address,
      port: self.port,
      peers: otherHosts(),
      trustFolder: configuration.trustFolder,
      limitBytes: messageLimits.bytes,
      log: log.child('peers'),
      random: Math.random,
      connected: (hello) => {
        catalogLoop.connected(hello.hostId);
        if (store.get(peerKeyPrefix + hello.hostId) === hello.generation) return;
        store.set(peerKeyPrefix + hello.hostId, hello.generation);
        refreshSoon();
      },
      disconnected: (hostId) => catalogLoop.disconnected(hostId),
      received: (from, text) => tracer.received(from, text) || catalogLoop.received(from, text) || loop.received(from, text),
    });
    const tracer = stack.use(
      new Tracer({
        hostId: self.hostId,
        runner: new TraceRunner({ hostId: self.hostId, uplinkIfindex: link.index, agent, transit: transit.mode, dataPath }),
        hosts: () => configuration.hosts,
        ownersOf: (vni, address) => control.ownersOf(vni, address),
        send: (to, text) => mesh.send(to, text),
        log: log.child('trace'),
      }),
    );
    stack.use(mesh);
    stack.use(loop);
    stack.use(catalogLoop);
    loop.start();
    catalogLoop.act();
    stack.use(
      repeat(() => {
        const isComplete = refreshSpec();
        loop.act();
        use?.count();
        updateGateways().catch(failed);
        return isComplete ? nextHopsEveryMs : missingHopsEveryMs;
      }, failed),
    );

    const probes = stack.use(
      await HostProbes.open({
        address: self.address,
        hosts: otherHosts(),
        token: randomInt(0x1_0000_0000),
        log: log.child('probes'),
        nowMs: monotonicMs,
        mtuTo: (address) => underlay.mtuTo(address),
        changed: (hostId, isAlive) => {
          control.setHostAlive(hostId, isAlive, monotonicMs());
          loop.act();
        },
      }),
    );

    use = new SubnetUse({
      hostId: self.hostId,
      hostName: self.name,
      placements: loop,
      endpoints: () => control.endpoints,
      catalog,
      record,
    });
    use.count();
    const journal = stack.use(await AttachmentFile.open(stateFolder));
    const podNetwork = new HostPodNetwork({
      links,
      dataPath,
      placements: use,
      subnets: () => book.networks().subnets,
      mtu: podMtu(link.mtu),
      agent,
      log: log.child('pods'),
      nowMs: monotonicMs,
      obstacle: () => {
        if (book.networks().subnets.length === 0) return 'there are no subnets';
        const isAlone = mesh.connectedHosts.length === 0 && configuration.hosts.length > 1;
        return isAlone ? 'no daemon of another host is connected' : undefined;
      },
    });
    const network = new NamedPods({
      network: podNetwork,
      names,
      networks: () => book.networks(),
      catalog,
      endpointOf: (key) => {
        const found = links.find(key);
        return found === undefined ? undefined : loop.endpoint(found.index);
      },
      hostName: self.name,
      record,
      failed,
    });
    const service = new CniService({ network, journal, records: journal.records, log: log.child('cni') });
    for (const error of await service.recover()) log.warn('a pod that was begun could not be deleted', { reason: error.message });
    const known = new Set(journal.records.map(({ key }) => keyText(key)));
    for (const { key } of links.list()) {
      if (known.has(keyText(key))) continue;
      log.warn('a link that no journal knows is deleted', { ...key });
      await network.delete(key);
    }
    network.forgetOthers(journal.records.map(({ key }) => key));
    await mkdir(dirname(configuration.cniSocket), { recursive: true, mode: 0o755 });
    stack.use(await openCniServer({ path: configuration.cniSocket, handle: (request) => service.handle(request), log: log.child('cni') }));
    keeper = stack.use(
      new EndpointKeeper({
        hostName: self.name,
        networks: () => book.networks(),
        call: (request) => service.handle(request),
        attachments: () => service.records(),
        check: (key, netns, attachment) => network.check(key, netns, attachment),
        relabel: (key, labels) => {
          const found = links.find(key);
          if (found !== undefined) loop.relabel(found.index, labels);
        },
        joined: stack.use(new HostJoinedEndpoints({ calls, internet, nowMs: monotonicMs, log: log.child('joined') })),
        store,
        record,
        log: log.child('endpoints'),
      }),
    );
    keeper.act();
    stack.use(
      repeat(() => {
        book.sweep(processClock.wallMs());
        catalogLoop.act();
        control.sweepLabels(monotonicMs());
        loop.act();
        return sweepEveryMs;
      }, failed),
    );
    const resources = new ResourceOperations({
      hostName: self.name,
      hostNames: () => configuration.hosts.map(({ name }) => name),
      book,
      catalog,
      services: () => control.services,
      loop: catalogLoop,
      store,
      nowMs: () => processClock.wallMs(),
    });
    const reload = async (): Promise<{ readonly epoch: number; readonly hosts: number }> => {
      const next = options.reread();
      checkReload(configuration, next, options.configurationFile);
      configuration = next;
      epochs = withEpoch(store.get(epochsKey), next);
      store.set(epochsKey, epochs);
      await store.saved();
      book.setFiles(next.resources);
      mesh.setPeers(otherHosts());
      probes.setHosts(otherHosts());
      catalogChanged();
      await gateways.hostsChanged();
      log.info('the configuration was read again', { epoch: next.epoch, hosts: next.hosts.length });
      return { epoch: next.epoch, hosts: next.hosts.length };
    };
    const operations: Operations = {
      status: () =>
        overlayStatus({
          host: self.name,
          generation,
          uplink: { name: link.name, mtu: link.mtu, transit },
          connected: mesh.connectedHosts,
          control,
          dataPath,
        }),
      moveOut: async (key) => {
        const found = links.find(key);
        if (found === undefined) throw new WeatherError('no-endpoint', `this host has no ${key.ifname} of container ${key.containerId}`);
        return loop.moveOut(found.index);
      },
      moveIn: (ticket) => podNetwork.expect(ticket),
      trace: (vni, packet) => tracer.trace(vni, packet),
      resources: () => resources.list(),
      apply: (given, isNew) => resources.apply(given, isNew),
      delete: (names) => resources.delete(names),
      reload,
    };
    await mkdir(dirname(configuration.operatorSocket), { recursive: true, mode: 0o755 });
    stack.use(await openOperatorSocket(configuration.operatorSocket, operations, log.child('operator')));
    await names.update();
    await updateGateways();
    await gateways.settle();
    log.info('the overlay is running', {
      host: self.name,
      hostId: self.hostId,
      generation,
      uplink: link.name,
      transit: transit.mode,
      because: transit.reason,
      endpoints: [...control.endpoints].length,
      isAdopted: found !== undefined,
    });
    return new OverlayHost(stack.move(), reload);
  }

  /** Ends this process's part. What is pinned goes on: traffic does not notice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Calls again and again, each time after as long as the call before said. */
function repeat(action: () => number, failed: (error: Error) => void): Disposable {
  let timer: NodeJS.Timeout;
  const next = (): void => {
    try {
      timer = setTimeout(next, action());
    } catch (error) {
      failed(error as Error);
    }
  };
  timer = setTimeout(next, 0);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function numberOr<T>(value: unknown, otherwise: T): number | T {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : otherwise;
}
