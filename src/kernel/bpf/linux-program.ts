import { assert, WeatherError } from '../../base/errors.ts';
import type { BpfProgram, TestRun } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import type { Libbpf } from './libbpf.ts';

const schedulerClassifier = 3;
const expressDataPath = 6;

/** Programs may make a packet longer: an outer header and options, and as much again. */
const testRunGrowthBytes = 512;

const shortestFrameBytes = 14;

/*
 * struct bpf_test_run_opts (64-bit):
 *  0 sz  8 data_in*  16 data_out*  24 u32 data_size_in  28 u32 data_size_out  32 ctx_in*  40 ctx_out*
 * 48 u32 ctx_size_in  52 u32 ctx_size_out  56 u32 retval  60 s32 repeat  64 u32 duration  68 u32 flags  72 u32 cpu  76 u32 batch_size
 */
const testRunOptionsBytes = 80;

/** struct xdp_md: 0 data  4 data_end  8 data_meta  12 ingress_ifindex  16 rx_queue_index  20 egress_ifindex */
function xdpContext(packetBytes: number, ifindex: number): Uint8Array {
  const context = new Uint8Array(24);
  const view = new DataView(context.buffer);
  view.setUint32(4, packetBytes, true);
  view.setUint32(12, ifindex, true);
  return context;
}

/** struct __sk_buff: 40 ifindex; the kernel refuses most other fields that are not zero. */
function socketBufferContext(ifindex: number): Uint8Array {
  const context = new Uint8Array(192);
  new DataView(context.buffer).setUint32(40, ifindex, true);
  return context;
}

/** A program of an object that is loaded. Its descriptor belongs to the object. */
export class LinuxProgram implements BpfProgram {
  readonly name: string;
  readonly type: number;
  readonly #libbpf: Libbpf;
  readonly #fd: () => number;

  constructor(libbpf: Libbpf, name: string, type: number, fd: () => number) {
    this.name = name;
    this.type = type;
    this.#libbpf = libbpf;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd();
  }

  testRun(packet: Uint8Array, options: { readonly repeat?: number; readonly ifindex?: number } = {}): TestRun {
    assert(this.type === expressDataPath || this.type === schedulerClassifier, `${this.name} is no program for packets`);
    if (packet.length < shortestFrameBytes) {
      throw new WeatherError(
        'bpf-test-run',
        `A packet of ${packet.length} octets is shorter than an Ethernet header; the kernel takes none such`,
      );
    }
    const output = new Uint8Array(packet.length + testRunGrowthBytes);
    const ifindex = options.ifindex ?? 0;
    const context = this.type === expressDataPath ? xdpContext(packet.length, ifindex) : socketBufferContext(ifindex);
    const record = new Uint8Array(testRunOptionsBytes);
    const view = new DataView(record.buffer);
    const { koffi } = this.#libbpf;
    view.setBigUint64(0, BigInt(testRunOptionsBytes), true);
    view.setBigUint64(8, koffi.address(packet), true);
    view.setBigUint64(16, koffi.address(output), true);
    view.setUint32(24, packet.length, true);
    view.setUint32(28, output.length, true);
    if (ifindex !== 0) {
      view.setBigUint64(32, koffi.address(context), true);
      view.setUint32(48, context.length, true);
    }
    view.setInt32(60, options.repeat ?? 1, true);
    const result = this.#libbpf.bpf_prog_test_run_opts(this.#fd(), record);
    if (result < 0) throw kernelError('bpf-test-run', `${this.name} cannot be run on a packet of ${packet.length} octets`, result);
    return { verdict: view.getUint32(56, true), packet: output.slice(0, view.getUint32(28, true)), durationNs: view.getUint32(64, true) };
  }
}
