import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { WeatherError } from '../../base/errors.ts';

const { errno } = constants;

/** What the kernel says where it means EOPNOTSUPP; it has no name outside of the kernel. */
export const notSupportedInside = 524;

interface Meaning {
  readonly text: string;
  readonly remedy?: string;
}

const privileges = 'Run it as root, or give it the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.';

/** What an errno of bpf(2) means in words. */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  [errno.EPERM, { text: 'not permitted', remedy: privileges }],
  [errno.EACCES, { text: 'refused', remedy: privileges }],
  [errno.EINVAL, { text: 'the kernel does not know this or does not take these values', remedy: kernelTooOld() }],
  [errno.ENOSYS, { text: 'this kernel has no bpf(2)', remedy: kernelTooOld() }],
  [errno.EOPNOTSUPP, { text: 'not supported here', remedy: kernelTooOld() }],
  [notSupportedInside, { text: 'not supported by this kernel', remedy: kernelTooOld() }],
  [errno.ENOENT, { text: 'there is none' }],
  [errno.EEXIST, { text: 'there is one already' }],
  [errno.EBUSY, { text: 'in use by somebody else' }],
  [errno.ENODEV, { text: 'no such network interface in this network namespace' }],
  [errno.ENOLINK, { text: 'its network interface is gone' }],
  [errno.ENOMEM, { text: 'the kernel has no memory for it', remedy: 'Free memory, or raise the memory limit of this service.' }],
  [errno.ENOSPC, { text: 'no room' }],
  [errno.E2BIG, { text: 'too large' }],
  [errno.EMFILE, { text: 'this process has too many open descriptors', remedy: 'Raise its limit of open files (LimitNOFILE).' }],
  [errno.ENFILE, { text: 'the system has too many open descriptors' }],
]);

function kernelTooOld(): string {
  return '`van overlay doctor` names the kernel features that are missing, and the kernel version that has each.';
}

/** The name of an errno, such as `EPERM`. The sign does not matter. */
export function errnoName(result: number): string {
  const number = Math.abs(result);
  if (number === notSupportedInside) return 'ENOTSUPP';
  // Node calls it ENOTSUP, which is the same number on Linux; manuals of the kernel use this name.
  if (number === errno.EOPNOTSUPP) return 'EOPNOTSUPP';
  return getSystemErrorName(-number);
}

/** A failed call into the kernel. `result` is an errno of either sign; `remedy` goes before the errno's own. */
export function kernelError(code: string, what: string, result: number, remedy?: string): WeatherError {
  const meaning = meanings.get(Math.abs(result));
  const text = meaning === undefined ? errnoName(result) : `${meaning.text} (${errnoName(result)})`;
  const advice = remedy ?? meaning?.remedy;
  return new WeatherError(code, `${what}: ${text}`, advice === undefined ? {} : { remedy: advice });
}
