import { closeSync, existsSync, readFileSync } from 'node:fs';
import { constants, release } from 'node:os';
import { WeatherError } from '../../base/errors.ts';
import { isBpffs } from './bpffs.ts';
import { errnoName } from './kernel-errors.ts';
import { attachTypes, mapTypes, programTypes, xdpHasFrags, xdpModes } from './kernel-constants.ts';
import { type Native, openNative } from './libbpf.ts';
import { xdpLinkOptions } from './linux-link.ts';
import { missingCapabilities } from './privileges.ts';
import { loadSmallestProgram, selfTest } from './self-test.ts';

const { EBADF, ENODEV } = constants.errno;

/** Something that the overlay uses of this machine. */
export interface KernelFeature {
  /** Stable, for scripts. */
  readonly name: string;
  readonly purpose: string;
  /** The first version that has it. */
  readonly since: string;
  /** Whether the overlay cannot run without it. */
  readonly isRequired: boolean;
  readonly state: 'yes' | 'no' | 'unknown';
  /** What was found, or why it could not be found out. */
  readonly detail: string;
}

interface Probe extends Omit<KernelFeature, 'state' | 'detail'> {
  readonly probe: (native: Native, withVeth: WithVeth | undefined) => Finding;
}

type Finding = readonly [state: KernelFeature['state'], detail: string];

/** Makes a pair of veth interfaces, gives the number of one of them, and removes the pair. */
export type WithVeth = <Result>(use: (ifindex: number) => Result) => Result;

/** An interface that nobody has: the kernel looks at everything else first, or says what it looked at. */
const noInterface = 0x7fffffff;

const probes: readonly Probe[] = [
  {
    name: 'ffi-self-test',
    purpose: 'calls into libbpf do what they should',
    since: 'libbpf 1.1',
    isRequired: true,
    probe: (native) => {
      selfTest(native);
      return ['yes', 'maps and programs work'];
    },
  },
  { name: 'xdp', purpose: 'packets from other hosts', since: 'Linux 4.8', isRequired: true, probe: programType(programTypes.xdp) },
  { name: 'tc', purpose: 'packets from pods', since: 'Linux 4.1', isRequired: true, probe: programType(programTypes.tc) },
  {
    name: 'bpf-links',
    purpose: 'programs stay attached, and are replaced in one step, while Caravan restarts',
    since: 'Linux 5.9',
    isRequired: true,
    probe: ({ libbpf }) => fromResult(libbpf.bpf_link_detach(-1), EBADF),
  },
  {
    name: 'tcx',
    purpose: 'packets from pods without the cost of XDP on veth; otherwise XDP at the pods',
    since: 'Linux 6.6',
    isRequired: false,
    probe: (native) =>
      withProgram(native, programTypes.tc, (fd) =>
        fromResult(native.libbpf.bpf_link_create(fd, noInterface, attachTypes.tcxIngress, null), ENODEV),
      ),
  },
  {
    name: 'xdp-native-veth',
    purpose: 'native XDP on virtual interfaces',
    since: 'Linux 4.19',
    isRequired: false,
    probe: (native, withVeth) => {
      if (withVeth === undefined) return ['unknown', 'needs a pair of interfaces'];
      return withProgram(native, programTypes.xdp, (fd) =>
        withVeth((ifindex) =>
          fromResult(closed(native.libbpf.bpf_link_create(fd, ifindex, attachTypes.xdp, xdpLinkOptions(xdpModes.native)))),
        ),
      );
    },
  },
  {
    name: 'xdp-frags',
    purpose: 'XDP on interfaces with an MTU of more than about 3500',
    since: 'Linux 5.18',
    isRequired: false,
    probe: (native) => fromResult(closed(loadSmallestProgram(native, programTypes.xdp, xdpHasFrags))),
  },
  {
    name: 'array-of-maps',
    purpose: 'tables of owners, replaced as a whole',
    since: 'Linux 4.12',
    isRequired: true,
    probe: mapType(mapTypes.arrayOfMaps),
  },
  { name: 'lpm-trie', purpose: 'subnets', since: 'Linux 4.11', isRequired: true, probe: mapType(mapTypes.lpmTrie) },
  { name: 'lru-hash', purpose: 'learnt paths', since: 'Linux 4.10', isRequired: true, probe: mapType(mapTypes.lruHash) },
  { name: 'per-cpu-hash', purpose: 'counters', since: 'Linux 4.6', isRequired: true, probe: mapType(mapTypes.perCpuHash) },
  { name: 'devmap-hash', purpose: 'packets handed to pods', since: 'Linux 5.4', isRequired: true, probe: mapType(mapTypes.devmapHash) },
  { name: 'ring-buffer', purpose: 'events', since: 'Linux 5.8', isRequired: true, probe: mapType(mapTypes.ringBuffer) },
];

/** What this machine offers. Attaches a program to the interface of `withVeth` for a moment, and changes nothing else. */
export function probeFeatures(withVeth?: WithVeth): KernelFeature[] {
  const features = environment();
  const opened = open();
  const capabilities = features.find(({ name }) => name === 'privileges');
  features.push({
    name: 'libbpf',
    purpose: 'loads programs; found at run time',
    since: 'libbpf 1.1',
    isRequired: true,
    state: 'native' in opened ? 'yes' : 'no',
    detail: 'native' in opened ? opened.native.libbpf.libbpf_version_string() : opened.error.message,
  });
  const obstacle = !('native' in opened) ? 'libbpf is missing' : capabilities?.state === 'yes' ? undefined : 'needs the privileges above';
  for (const { probe, ...feature } of probes) {
    const [state, detail] =
      'native' in opened && obstacle === undefined ? find(() => probe(opened.native, withVeth)) : (['unknown', obstacle ?? ''] as const);
    features.push({ ...feature, state, detail });
  }
  return features;
}

/** Throws WeatherError `kernel-features` that names each required feature that is missing, and the version that has it. */
export function requireFeatures(features: readonly KernelFeature[]): void {
  const required = features.filter(({ isRequired }) => isRequired);
  const missing = required.filter(({ state }) => state === 'no');
  // What could not be found out is worth a word only when nothing else explains it.
  const lacking = missing.length > 0 ? missing : required.filter(({ state }) => state === 'unknown');
  if (lacking.length === 0) return;
  const names = lacking.map(({ name, since, detail }) => `${name} (${since}): ${detail}`).join('; ');
  throw new WeatherError('kernel-features', `The tenant overlay cannot run on this machine (${process.platform} ${release()}): ${names}`, {
    remedy: 'Linux 6.6 or newer with libbpf 1.1 or newer has everything; run Caravan as root.',
  });
}

/** What is found without a call into the kernel's eBPF. */
function environment(): KernelFeature[] {
  const isLinux = process.platform === 'linux';
  const missing = isLinux ? missingCapabilities() : ['Linux'];
  const jit = readIfThere('/proc/sys/net/core/bpf_jit_enable');
  const hasBpffs = readIfThere('/proc/filesystems')?.includes('\tbpf\n') === true;
  return [
    {
      name: 'privileges',
      purpose: 'programs can be loaded and attached',
      since: 'Linux 5.8',
      isRequired: true,
      state: missing.length === 0 ? 'yes' : 'no',
      detail: missing.length === 0 ? 'all capabilities are there' : `lacks ${missing.join(', ')}; run it as root`,
    },
    {
      name: 'bpffs',
      purpose: 'maps and programs outlive a restart of Caravan',
      since: 'Linux 4.4',
      isRequired: true,
      state: hasBpffs ? 'yes' : 'no',
      detail: !hasBpffs
        ? 'this kernel has no BPF file system'
        : isBpffs('/sys/fs/bpf')
          ? 'mounted at /sys/fs/bpf'
          : 'not mounted at /sys/fs/bpf; Caravan mounts its own',
    },
    {
      name: 'jit',
      purpose: 'programs run as machine code',
      since: 'Linux 3.18',
      isRequired: false,
      state: jit === undefined ? 'unknown' : jit.startsWith('0') ? 'no' : 'yes',
      detail: `net.core.bpf_jit_enable is ${jit?.trim() ?? 'not readable'}`,
    },
    {
      name: 'btf',
      purpose: 'tools show maps with names of fields; the overlay does without',
      since: 'Linux 5.4',
      isRequired: false,
      state: existsSync('/sys/kernel/btf/vmlinux') ? 'yes' : 'no',
      detail: '/sys/kernel/btf/vmlinux',
    },
  ];
}

function open(): { readonly native: Native } | { readonly error: Error } {
  try {
    return { native: openNative() };
  } catch (error) {
    return { error: error as Error };
  }
}

function find(probe: () => Finding): Finding {
  try {
    return probe();
  } catch (error) {
    if (!(error instanceof WeatherError)) throw error;
    return ['no', error.message];
  }
}

function programType(type: number): Probe['probe'] {
  return ({ libbpf }) => fromProbe(libbpf.libbpf_probe_bpf_prog_type(type, null));
}

function mapType(type: number): Probe['probe'] {
  return ({ libbpf }) => fromProbe(libbpf.libbpf_probe_bpf_map_type(type, null));
}

/** libbpf's own probes answer 1, 0 or -errno. */
function fromProbe(result: number): Finding {
  if (result < 0) return ['unknown', errnoName(result)];
  return result === 1 ? ['yes', 'found'] : ['no', 'the kernel refuses it'];
}

/** `expected` is the errno of a kernel that knows the call and does not like its arguments. */
function fromResult(result: number, expected = 0): Finding {
  return result >= 0 || -result === expected ? ['yes', 'found'] : ['no', `the kernel answers ${errnoName(result)}`];
}

function withProgram(native: Native, type: number, use: (fd: number) => Finding): Finding {
  const fd = loadSmallestProgram(native, type);
  if (fd < 0) return ['no', `the smallest program is refused with ${errnoName(fd)}`];
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Closes what a probe made; a negative number is an errno and nothing to close. */
function closed(fd: number): number {
  if (fd >= 0) closeSync(fd);
  return fd;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
