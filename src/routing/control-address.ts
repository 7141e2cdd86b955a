import { limits } from './limits.ts';

/** Where a routing message goes, read from its `to`. */
export type ControlScope =
  | { readonly scope: 'neighbours'; readonly endpoint: string }
  | { readonly scope: 'all'; readonly endpoint: string }
  | { readonly scope: 'router'; readonly routerId: string; readonly endpoint: string };

export const helloAddress = 'amqp:/_local/qdhello';
/** Between neighbours that sign. */
export const caravanAddress = 'amqp:/_local/caravan';
export const linkStateFloodAddress = 'amqp:/_topo/0/all/qdrouter';
/** Without a scheme: as skupper-router writes it. */
export const mobileAddressFloodAddress = '_topo/0/all/qdrouter.ma';

/** Address of the link-state engine of one router. */
export function linkStateAddress(routerId: string): string {
  return `amqp:/_topo/0/${routerId}/qdrouter`;
}

/** Address of the mobile-address engine of one router. */
export function mobileAddressAddress(routerId: string): string {
  return `amqp:/_topo/0/${routerId}/qdrouter.ma`;
}

/** Name of a router in `ingress` and `trace`. */
export function nodeName(routerId: string): string {
  return `0/${routerId}`;
}

/** The router id in a name from `ingress` or `trace`; undefined for a name of another form. */
export function routerIdOfNode(node: string): string | undefined {
  return node.startsWith('0/') && node.length > 2 ? node.slice(2) : undefined;
}

/** Whether `id` may name a router: bounded, and free of what would break the addresses that contain it. */
export function isRouterId(id: string): boolean {
  return id.length > 0 && id.length <= limits.routerIdLength && !id.includes('/') && id !== 'all';
}

/**
 * Reads `[scheme:][/][/host]/`-less forms as well as complete ones:
 *
 *     _local/<endpoint>            this hop only
 *     _topo/0/all/<endpoint>       every router (also _topo/all/<endpoint>)
 *     _topo/0/<id>/<endpoint>      one router
 *
 * Undefined for anything else: it is not a routing message.
 */
export function parseControlAddress(to: string): ControlScope | undefined {
  if (to.length > limits.routerIdLength + 64) return undefined;
  const parts = withoutScheme(to).split('/');
  if (parts[0] === '_local' && parts.length === 2) return { scope: 'neighbours', endpoint: parts[1] ?? '' };
  if (parts[0] !== '_topo') return undefined;
  if (parts[1] === 'all' && parts.length === 3) return { scope: 'all', endpoint: parts[2] ?? '' };
  if (parts[1] !== '0' || parts.length !== 4) return undefined;
  const [, , routerId = '', endpoint = ''] = parts;
  if (routerId === 'all') return { scope: 'all', endpoint };
  return isRouterId(routerId) ? { scope: 'router', routerId, endpoint } : undefined;
}

function withoutScheme(to: string): string {
  const scheme = to.startsWith('amqp:') ? to.slice(5) : to;
  if (scheme.startsWith('//')) {
    const path = scheme.indexOf('/', 2);
    return path < 0 ? '' : scheme.slice(path + 1);
  }
  return scheme.startsWith('/') ? scheme.slice(1) : scheme;
}
