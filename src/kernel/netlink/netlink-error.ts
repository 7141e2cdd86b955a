import { getSystemErrorMap } from 'node:util';
import { WeatherError } from '../../base/errors.ts';

/** Error numbers of Linux that mean something here. */
export const errorNumbers = {
  notPermitted: 1,
  noEntry: 2,
  noProcess: 3,
  tryAgain: 11,
  outOfMemory: 12,
  accessDenied: 13,
  busy: 16,
  exists: 17,
  noDevice: 19,
  invalid: 22,
  tooManyFilesInSystem: 23,
  tooManyFiles: 24,
  notSupported: 95,
  noBufferSpace: 105,
  networkUnreachable: 101,
  hostUnreachable: 113,
  protocolNotSupported: 93,
  addressFamilyNotSupported: 97,
} as const;

/** What the kernel said of a request or a call. `errorNumber` is the kernel's, 0 when it said none. */
export class NetlinkError extends WeatherError {
  override readonly name: string = 'NetlinkError';
  readonly errorNumber: number;

  constructor(code: string, message: string, errorNumber: number, options: { cause?: unknown; remedy?: string } = {}) {
    super(code, message, options);
    this.errorNumber = errorNumber;
  }
}

/**
 * The error for `errorNumber`, which came while doing `what` (such as `adding address 10.0.0.2/24 to eth0`).
 * `detail` is the kernel's own text, of its extended acknowledgement.
 */
export function netlinkError(what: string, errorNumber: number, detail?: string): NetlinkError {
  const { code, remedy } = meaning(errorNumber);
  const text = detail === undefined || detail === '' ? '' : `: ${detail}`;
  return new NetlinkError(code, `${what}: ${errorText(errorNumber)}${text}`, errorNumber, remedy === undefined ? {} : { remedy });
}

/** The kernel's answer is not what rtnetlink promises, or part of it was lost. */
export function replyError(what: string, message: string): NetlinkError {
  return new NetlinkError('netlink-reply', `${what}: ${message}`, 0);
}

function errorText(errorNumber: number): string {
  const entry = getSystemErrorMap().get(-errorNumber);
  return entry === undefined ? `error ${errorNumber}` : `${entry[1]} (${entry[0]})`;
}

function meaning(errorNumber: number): { code: string; remedy?: string } {
  switch (errorNumber) {
    case errorNumbers.notPermitted:
    case errorNumbers.accessDenied:
      return { code: 'netlink-permission', remedy: 'run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN' };
    case errorNumbers.exists:
      return { code: 'netlink-exists', remedy: 'delete what is there, or choose another name' };
    case errorNumbers.noEntry:
    case errorNumbers.noProcess:
    case errorNumbers.noDevice:
      return { code: 'netlink-missing' };
    case errorNumbers.busy:
    case errorNumbers.tryAgain:
      return { code: 'netlink-busy', remedy: 'try again' };
    case errorNumbers.outOfMemory:
    case errorNumbers.noBufferSpace:
      return { code: 'netlink-resources', remedy: 'free memory, or raise net.core.rmem_max' };
    case errorNumbers.tooManyFiles:
    case errorNumbers.tooManyFilesInSystem:
      return { code: 'netlink-resources', remedy: 'raise the limit of open files (ulimit -n)' };
    case errorNumbers.notSupported:
    case errorNumbers.protocolNotSupported:
    case errorNumbers.addressFamilyNotSupported:
      return { code: 'netlink-unsupported', remedy: 'use a kernel that has it: veth, IPv6 and network namespaces are needed' };
    default:
      return { code: 'netlink-refused' };
  }
}
