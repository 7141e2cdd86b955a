import { assert, WeatherError } from '../../base/errors.ts';
import type { BpfProgram, TestRun } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import { programTypes } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';

/** A program of an object that is loaded. Its descriptor belongs to the object; `fd` throws when that was closed. */
export class LinuxProgram implements BpfProgram {
  readonly name: string;
  readonly type: number;
  readonly #native: Native;
  readonly #fd: () => number;

  constructor(native: Native, name: string, type: number, fd: () => number) {
    this.name = name;
    this.type = type;
    this.#native = native;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd();
  }

  testRun(packet: Uint8Array, options: { readonly repeat?: number; readonly ifindex?: number } = {}): TestRun {
    assert(this.type === programTypes.xdp || this.type === programTypes.tc, `${this.name} is no program for packets`);
    return testRun(this.#native, this, packet, options);
  }
}

/** Programs may make a packet longer by an outer header and options; this is several times as much. */
const growthBytes = 512;

/** The kernel takes no frame that is shorter than an Ethernet header. */
const shortestFrameBytes = 14;

/*
 * struct bpf_test_run_opts, where pointers and size_t have 8 octets:
 *  0 size_t sz   8 data_in*  16 data_out*  24 u32 data_size_in  28 u32 data_size_out  32 ctx_in*  40 ctx_out*
 * 48 u32 ctx_size_in  52 u32 ctx_size_out  56 u32 retval  60 s32 repeat  64 u32 duration  68 u32 flags  72 u32 cpu  76 u32 batch_size
 */
const optionsBytes = 80;

/*
 * struct xdp_md:     0 data  4 data_end  8 data_meta  12 ingress_ifindex  16 rx_queue_index  20 egress_ifindex
 * struct __sk_buff: 40 ifindex; most other fields must be zero; 192 octets
 */
const contextBytes = 192;
const xdpContextBytes = 24;

/** Runs a program on a packet. Throws WeatherError `bpf-test-run`. */
export function testRun(
  { koffi, libbpf }: Native,
  program: { readonly name: string; readonly type: number; readonly fd: number },
  packet: Uint8Array,
  options: { readonly repeat?: number; readonly ifindex?: number },
): TestRun {
  if (packet.length < shortestFrameBytes) {
    throw new WeatherError(
      'bpf-test-run',
      `A packet of ${packet.length} octets is shorter than an Ethernet header; the kernel runs no program on it`,
    );
  }
  // The options, the context, the packet and what becomes of it lie in one buffer, so that all live as long as the call.
  const packetOffset = optionsBytes + contextBytes;
  const outputOffset = packetOffset + packet.length;
  const memory = new Uint8Array(outputOffset + packet.length + growthBytes);
  memory.set(packet, packetOffset);
  const base = koffi.address(memory);
  const view = new DataView(memory.buffer);
  view.setBigUint64(0, BigInt(optionsBytes), true);
  view.setBigUint64(8, base + BigInt(packetOffset), true);
  view.setBigUint64(16, base + BigInt(outputOffset), true);
  view.setUint32(24, packet.length, true);
  view.setUint32(28, memory.length - outputOffset, true);
  view.setInt32(60, options.repeat ?? 1, true);
  if (options.ifindex !== undefined) {
    const isXdp = program.type === programTypes.xdp;
    view.setBigUint64(32, base + BigInt(optionsBytes), true);
    view.setUint32(48, isXdp ? xdpContextBytes : contextBytes, true);
    if (isXdp) view.setUint32(optionsBytes + 4, packet.length, true);
    view.setUint32(optionsBytes + (isXdp ? 12 : 40), options.ifindex, true);
  }
  const result = libbpf.bpf_prog_test_run_opts(program.fd, memory);
  if (result < 0) {
    const where = options.ifindex === undefined ? '' : ` that came in at interface ${options.ifindex}`;
    throw kernelError('bpf-test-run', `${program.name} cannot be run on a packet of ${packet.length} octets${where}`, result);
  }
  return {
    verdict: view.getUint32(56, true),
    packet: memory.slice(outputOffset, outputOffset + view.getUint32(28, true)),
    durationNs: view.getUint32(64, true),
  };
}
