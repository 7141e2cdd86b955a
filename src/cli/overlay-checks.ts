import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type KernelFeature, type WithVeth, probeFeatures } from '../kernel/bpf/features.ts';
import { LinuxBpf } from '../kernel/bpf/linux-bpf.ts';
import { hostRules } from '../overlay-host/gateways/gateway-rules.ts';
import { packetFilterProgram } from '../overlay-host/gateways/packet-filter.ts';
import { type HostCheck, failed, skipped } from './host-check.ts';
import { featureSentences } from './overlay-feature-sentences.ts';
import type { UplinkOptions } from './overlay-uplink-checks.ts';

/** Compiled before it is shipped: no compiler is needed where the overlay runs. */
const objectFile: string = fileURLToPath(new URL('../../bpf/dist/overlay.o', import.meta.url));
const pluginFile: string = fileURLToPath(new URL('../../cni/dist/caravan-cni', import.meta.url));
/** Program of the object that lets every packet pass. */
const passProgram = 'pass';
const agentProgram = 'agent_tc';
const platforms: readonly string[] = ['linux-x64', 'linux-arm64'];

/** Everything that the overlay needs of this machine. Leaves nothing behind. */
export async function checkHost(options: UplinkOptions): Promise<HostCheck[]> {
  const checks = [platformCheck()];
  if (checks[0]?.result === 'error') return checks;
  const koffi = koffiCheck();
  checks.push(koffi);
  // Loaded only now: without koffi, loading them fails.
  const { checkUplink, filterCheck, temporaryVeth } = koffi.result === 'ok' ? await import('./overlay-uplink-checks.ts') : {};
  const isRoot = process.getuid?.() === 0;
  const withVeth: WithVeth | undefined = isRoot ? temporaryVeth : undefined;
  checks.push(...probeFeatures(withVeth).map(featureCheck));
  const isPrivileged = checks.every(
    ({ code, result }) => !['koffi', 'privileges', 'libbpf', 'ffi-self-test'].includes(code) || result === 'ok',
  );
  const obstacle = isPrivileged ? undefined : 'needs what failed above';

  const bpf = obstacle === undefined ? new LinuxBpf() : undefined;
  try {
    const programs = programsCheck(bpf);
    checks.push(programs);
    if (programs.result === 'ok' && bpf !== undefined && filterCheck !== undefined) checks.push(checkFilter(bpf, filterCheck));
    checks.push(pluginCheck(), packetFilterCheck());
    checks.push(
      ...(checkUplink === undefined || bpf === undefined
        ? [skipped('uplink', 'The link to the other hosts is found', obstacle ?? '')]
        : await checkUplink(options, (ifindex) => attachForAMoment(bpf, ifindex))),
    );
  } finally {
    bpf?.close();
  }
  return checks;
}

function platformCheck(): HostCheck {
  const isSupported = platforms.includes(`${process.platform}-${process.arch}`);
  return {
    code: 'platform',
    description: 'This machine runs Linux on x64 or arm64',
    result: isSupported ? 'ok' : 'error',
    since: null,
    seen: `${process.platform} ${release()} on ${arch()}`,
    remedy: isSupported ? null : 'The tenant overlay needs eBPF of Linux: run it in a Linux machine. The rest of Caravan works here.',
  };
}

function koffiCheck(): HostCheck {
  const check = { code: 'koffi', description: 'System libraries can be called', since: null } as const;
  try {
    createRequire(import.meta.url)('koffi');
  } catch (error) {
    const cause = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    const remedy =
      'Install Caravan again with its optional packages (npm install without --omit=optional): koffi has its native part there.';
    return { ...check, result: 'error', seen: cause, remedy };
  }
  return { ...check, result: 'ok', seen: 'koffi is loaded', remedy: null };
}

/** A feature as a sentence that is true when all is well. */
export function featureCheck({ name, since, isRequired, state, detail, purpose }: KernelFeature): HostCheck {
  const sentence = featureSentences[name];
  const isMissing = state === 'no';
  return {
    code: name,
    description: sentence?.description ?? purpose,
    result: state === 'yes' ? 'ok' : state === 'unknown' ? 'skipped' : isRequired ? 'error' : 'warning',
    since,
    seen: detail,
    remedy: isMissing ? (sentence?.remedy ?? `Use ${since} or newer; Linux 6.6 has all that the overlay uses.`) : null,
  };
}

/** The verifier has looked at the programs when this is ok. */
function programsCheck(bpf: LinuxBpf | undefined): HostCheck {
  const check = {
    code: 'programs',
    description: 'The kernel takes the programs of the overlay; no compiler is needed',
    since: 'Linux 5.18',
  } as const;
  if (!existsSync(objectFile)) {
    return {
      ...check,
      result: 'error',
      seen: `${objectFile} is not there`,
      remedy: 'npm run build:bpf makes it, on any machine with clang and libbpf-dev; a package of Caravan has it in it.',
    };
  }
  if (bpf === undefined) return { ...check, result: 'skipped', seen: 'needs what failed above', remedy: null };
  try {
    bpf.open(objectFile).close();
  } catch (error) {
    return { ...failed(check.code, check.description, error), since: check.since };
  }
  return { ...check, result: 'ok', seen: `${objectFile} loads`, remedy: null };
}

function pluginCheck(): HostCheck {
  const isThere = existsSync(pluginFile);
  return {
    code: 'cni-plugin',
    description: 'The CNI plugin is there',
    result: isThere ? 'ok' : 'warning',
    since: null,
    seen: isThere ? pluginFile : `${pluginFile} is not there: container runtimes cannot ask for pods`,
    remedy: isThere ? null : 'npm run build:cni makes it, with a C compiler and a static C library (Debian: apt install gcc libc6-dev).',
  };
}

/** The rules of a way out, taken by the kernel for a try. */
function packetFilterCheck(): HostCheck {
  const rules = hostRules({ hosts: [], forwardsForGatewaysOnly: [] });
  const { error, status, stderr } = spawnSync(packetFilterProgram, ['--check', '--file', '-'], { input: rules, encoding: 'utf8' });
  const check = { code: 'nftables', description: 'VPCs can have ways out with NAT', since: null } as const;
  if (error === undefined && status === 0)
    return { ...check, result: 'ok', seen: `${packetFilterProgram} and the kernel take the rules`, remedy: null };
  const isMissing = error !== undefined && 'code' in error && error.code === 'ENOENT';
  return {
    ...check,
    result: 'warning',
    seen: isMissing
      ? `there is no ${packetFilterProgram}: only VPCs without egress work here`
      : (error?.message ?? stderr).trim().split('\n', 1)[0]!,
    remedy: isMissing
      ? 'Install nftables (Debian: apt install nftables).'
      : 'The kernel needs nf_tables with NAT (CONFIG_NFT_NAT, CONFIG_NFT_MASQ), and this process root.',
  };
}

function checkFilter(bpf: LinuxBpf, check: (program: number) => HostCheck): HostCheck {
  const object = bpf.open(objectFile);
  try {
    return check(bpf.programDescriptor(object.program(agentProgram)));
  } finally {
    object.close();
  }
}

/** Native XDP at a link, by a program that lets everything pass, for a moment. Throws WeatherError. */
function attachForAMoment(bpf: LinuxBpf, ifindex: number): void {
  const object = bpf.open(objectFile);
  try {
    bpf.attachXdp(object.program(passProgram), ifindex, 'native').detach();
  } finally {
    object.close();
  }
}
