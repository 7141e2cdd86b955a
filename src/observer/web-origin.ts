import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Who a browser says is asking. Two defences:
 *
 * - Host must be a name that this server is reached by. A foreign page whose name was pointed at this address (DNS rebinding)
 *   still sends its own name.
 * - Sec-Fetch-Site, and Origin beside it, must say that a page of this server asks. Programs that are no browsers send neither.
 */

/** Host names that requests may name, without port: tunnels change ports, and a rebound name differs in the name. */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>;
  readonly #anyLocalAddress: boolean;

  /** `listenHost` is an address or name; `hostNames` are further ones. */
  constructor(listenHost: string, hostNames: readonly string[]) {
    this.#names = new Set([listenHost, ...hostNames, '127.0.0.1', 'localhost', '::1'].map((name) => name.toLowerCase()));
    this.#anyLocalAddress = listenHost === '0.0.0.0' || listenHost === '::';
  }

  /** `localAddress` is where the connection came in: a server of all addresses may be called by any of them. */
  allows(hostHeader: string, localAddress: string | undefined): boolean {
    const name = hostName(hostHeader);
    if (name === undefined) return false;
    if (this.#names.has(name)) return true;
    return this.#anyLocalAddress && isIP(name) !== 0 && name === localAddress?.replace(/^::ffff:/i, '').toLowerCase();
  }
}

/** The name of a Host header without its port, in lower case; undefined when it is none. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** What a request is for: a page or one of its files, data, or a change. */
export type Purpose = 'page' | 'data' | 'change';

/** Whether the browser's own words about the request allow it. `origins` are this server's, such as `http://127.0.0.1:8010`. */
export function isFromOwnPages(headers: IncomingHttpHeaders, origins: readonly string[], purpose: Purpose): boolean {
  const site = headers['sec-fetch-site'];
  const named = headers.origin;
  if (purpose === 'change') {
    if (site === undefined && named === undefined) return false;
    return (site === undefined || site === 'same-origin') && (named === undefined || origins.includes(named));
  }
  if (named !== undefined && !origins.includes(named)) return false;
  if (site === undefined || site === 'same-origin') return purpose === 'page' || isReadAsData(headers);
  if (site === 'none') return true;
  // A link from elsewhere may open a page. Nothing of it may be embedded or read there.
  return purpose === 'page' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

/** Data is fetched; it is never loaded as a script, style, image or frame. */
function isReadAsData(headers: IncomingHttpHeaders): boolean {
  const destination = headers['sec-fetch-dest'];
  return destination === undefined || destination === 'empty' || destination === 'document';
}
