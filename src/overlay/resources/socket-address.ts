import { mismatch, type Schema } from '../../management/schema.ts';
import { formatAddress, isIpv4, parseAddress } from '../packet/address.ts';

const highestPort = 65_535;

/** Where a program listens, as a text such as `127.0.0.1:8080` or `[::1]:8080`, in its one form. */
export function socketAddress(): Schema<string> {
  const type = 'address and port such as 127.0.0.1:8080';
  return {
    type,
    read(value, path): string {
      const [, ipv6, ipv4, digits = ''] =
        (typeof value === 'string' ? /^(?:\[([^\]]*)\]|([^:]*)):([1-9]\d{0,4})$/.exec(value) : null) ?? [];
      const octets = parseAddress(ipv6 ?? ipv4 ?? '');
      const port = Number(digits);
      if (octets === undefined || isIpv4(octets) !== (ipv4 !== undefined) || port > highestPort) throw mismatch(path, `an ${type}`, value);
      const text = formatAddress(octets);
      return isIpv4(octets) ? `${text}:${port}` : `[${text}]:${port}`;
    },
  };
}

/** The two parts of a text that `socketAddress` has read. */
export function socketAddressOf(text: string): { readonly address: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  return { address: text.slice(0, at).replaceAll(/[[\]]/g, ''), port: Number(text.slice(at + 1)) };
}
