import type { Address } from '../ffi/foreign-library.ts';
import type { Native } from './libbpf.ts';

/** libbpf's level of warnings; higher numbers are less important. */
const warning = 0;

/** A load that fails says a handful of lines; more would be the same thing once for every program. */
const maxMessages = 16;
const maxMessageBytes = 512;

/** The verifier's last words are the reason; what stands before them is the way to it. */
const logTailLines = 30;
const logTailCharacters = 4096;

/** Runs `work` and collects libbpf's warnings in `messages`. libbpf has one place for all of a process to say things. */
export function collectMessages<Result>({ koffi, libbpf, libc }: Native, messages: string[], work: () => Result): Result {
  const text = new Uint8Array(maxMessageBytes);
  const take = (level: number, format: Address, parameters: Address): number => {
    if (level !== warning || messages.length >= maxMessages) return 0;
    const length = libc.vsnprintf(text, text.length, format, parameters);
    if (length > 0)
      messages.push(
        readText(text)
          .replace(/^libbpf: /, '')
          .trim(),
      );
    return 0;
  };
  const print = koffi.register(take, koffi.pointer(koffi.proto('int', ['int', 'void *', 'void *'])));
  libbpf.libbpf_set_print(print);
  try {
    return work();
  } finally {
    libbpf.libbpf_set_print(null);
    koffi.unregister(print);
  }
}

/** What the kernel wrote into a log buffer, up to its zero octet; the end of it. */
export function logTail(buffer: Uint8Array): string {
  const lines = readText(buffer)
    .split('\n')
    .filter((line) => line !== '' && !/^(?:processed \d+ insns|verification time)/.test(line));
  return lines.slice(-logTailLines).join('\n').slice(-logTailCharacters);
}

function readText(octets: Uint8Array): string {
  const end = octets.indexOf(0);
  return new TextDecoder().decode(end < 0 ? octets : octets.subarray(0, end));
}
