import { readFileSync } from 'node:fs';

/** Capabilities that the overlay needs, with their bits in `CapEff`. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON. */
const needed = [
  { name: 'CAP_NET_ADMIN', bits: [12] },
  { name: 'CAP_BPF', bits: [39, 21] },
  { name: 'CAP_PERFMON', bits: [38, 21] },
] as const;

/** The capabilities that this process lacks. `status` is the text of `/proc/self/status`. */
export function missingCapabilities(status: string = readFileSync('/proc/self/status', 'utf8')): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return needed.filter(({ bits }) => !bits.some((bit) => (effective >> BigInt(bit)) & 1n)).map(({ name }) => name);
}
