import type { Address } from '../ffi/foreign-library.ts';
import { kernelError } from './kernel-errors.ts';
import type { Native } from './libbpf.ts';

/** Takes records out of a ring buffer. One reader a ring buffer: records are gone when they were taken. */
export class EventReader {
  readonly #native: Native;
  readonly #name: string;
  readonly #ringBuffer: Address;
  readonly #take: Address;
  #records: Uint8Array[] = [];
  #limit = 0;

  constructor(native: Native, name: string, fd: number) {
    const { koffi, libbpf, libc } = native;
    this.#native = native;
    this.#name = name;
    const take = (_context: Address | null, data: Address, bytes: number): number => {
      const record = new Uint8Array(bytes);
      libc.memcpy(record, data, bytes);
      this.#records.push(record);
      // A negative answer ends the round after this record, which counts as taken.
      return this.#records.length < this.#limit ? 0 : -1;
    };
    this.#take = koffi.register(take, koffi.pointer(koffi.proto('int', ['void *', 'void *', 'size_t'])));
    const ringBuffer = libbpf.ring_buffer__new(fd, this.#take, null, null);
    if (ringBuffer === null) {
      const errno = koffi.errno();
      koffi.unregister(this.#take);
      throw kernelError('bpf-events', `The ring buffer ${name} cannot be read`, errno);
    }
    this.#ringBuffer = ringBuffer;
  }

  /** The oldest records, at most `limit`. */
  drain(limit: number): Uint8Array[] {
    if (limit <= 0) return [];
    this.#records = [];
    this.#limit = limit;
    const result = this.#native.libbpf.ring_buffer__consume(this.#ringBuffer);
    const records = this.#records;
    this.#records = [];
    if (result < 0 && records.length < limit) throw kernelError('bpf-events', `The ring buffer ${this.#name} cannot be read`, result);
    return records;
  }

  close(): void {
    this.#native.libbpf.ring_buffer__free(this.#ringBuffer);
    this.#native.koffi.unregister(this.#take);
  }
}
