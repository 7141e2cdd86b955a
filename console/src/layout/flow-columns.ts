import type { EdgeRow } from '../../../src/flows/network-snapshot.ts';
import type { Size } from './viewport.ts';

export interface FlowNode {
  readonly key: string;
  readonly kind: 'client' | 'service' | 'server';
  /** Router id or address; null for what stands for all that have no room. */
  readonly id: string | null;
  readonly name: string;
  readonly perSecond: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What one client site sends to one server site for one service, as two bands that meet at the service. */
export interface FlowBand {
  readonly key: string;
  readonly edge: EdgeRow;
  readonly clientKey: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly width: number;
  readonly intoService: string;
  readonly outOfService: string;
  /** Where a sign for the band has room: close to its server. */
  readonly sign: { readonly x: number; readonly y: number };
}

export interface FlowPicture {
  readonly nodes: readonly FlowNode[];
  readonly bands: readonly FlowBand[];
  readonly height: number;
}

const nodeHeight = 44;
const nodeGap = 10;
const top = 34;
const bandGap = 2;
const smallestBand = 2;
const largestBand = 15;
/** More entries in a column are drawn as one. */
export const columnLimit = 30;

/** Who talks to whom in three columns: sites of clients, services, sites of servers. Entries are in the order of their names, so that they stay where they are. */
export function flowPicture(edges: readonly EdgeRow[], { width }: Size): FlowPicture {
  const clients = column(edges, ({ sourceId }) => sourceId, ({ sourceName }) => sourceName, 'client');
  const services = column(edges, ({ address }) => address, ({ address }) => address, 'service');
  const servers = column(edges, ({ destId }) => destId, ({ destName }) => destName, 'server');
  const busiest = Math.max(1e-9, ...edges.map(({ golden }) => golden.perSecond));
  const bandWidth = ({ golden }: EdgeRow): number => smallestBand + (largestBand - smallestBand) * Math.sqrt(golden.perSecond / busiest);
  const sorted = [...edges].sort(
    (a, b) => compare(a.address, b.address) || compare(a.sourceName, b.sourceName) || compare(a.destName, b.destName),
  );
  const nodeWidth = Math.max(92, Math.min(190, width * 0.22));
  const placed = new Map<string, FlowNode>();
  const heights: number[] = [];
  for (const [index, entries] of [clients, services, servers].entries()) {
    const x = index === 0 ? 0 : index === 1 ? (width - nodeWidth) / 2 : width - nodeWidth;
    const sized = entries.map((entry) => ({ ...entry, height: Math.max(nodeHeight, bandsHeight(sorted, entry.keys, index, bandWidth) + 10) }));
    let y = top;
    for (const { key, kind, id, name, perSecond, height } of sized) {
      placed.set(key, { key, kind, id, name, perSecond, x, y, width: nodeWidth, height });
      y += height + nodeGap;
    }
    heights.push(y);
  }
  const height = Math.max(...heights, 0);
  const shift = heights.map((own) => (height - own) / 2);
  const nodes = [...placed.values()].map((node) => ({ ...node, y: node.y + (shift[columnOf(node.kind)] ?? 0) }));
  return { nodes, bands: bandsOf(sorted, nodes, [clients, services, servers], bandWidth), height };
}

interface Entry {
  readonly key: string;
  readonly kind: FlowNode['kind'];
  readonly id: string | null;
  readonly name: string;
  readonly perSecond: number;
  /** Ids or addresses that it stands for. */
  readonly keys: ReadonlySet<string>;
}

function columnOf(kind: FlowNode['kind']): number {
  return kind === 'client' ? 0 : kind === 'service' ? 1 : 2;
}

function column(
  edges: readonly EdgeRow[],
  idOf: (edge: EdgeRow) => string,
  nameOf: (edge: EdgeRow) => string,
  kind: FlowNode['kind'],
): readonly Entry[] {
  const sums = new Map<string, { readonly name: string; perSecond: number }>();
  for (const edge of edges) {
    const sum = sums.get(idOf(edge));
    if (sum === undefined) sums.set(idOf(edge), { name: nameOf(edge), perSecond: edge.golden.perSecond });
    else sum.perSecond += edge.golden.perSecond;
  }
  const all = [...sums].map(([id, { name, perSecond }]): Entry => ({ key: `${kind} ${id}`, kind, id, name, perSecond, keys: new Set([id]) }));
  all.sort((a, b) => compare(a.name, b.name) || compare(a.key, b.key));
  if (all.length <= columnLimit) return all;
  // By powers of four of the rate: small changes do not make entries come and go.
  const byRate = [...all].sort((a, b) => rateClass(b) - rateClass(a) || compare(a.name, b.name));
  const shown = new Set(byRate.slice(0, columnLimit - 1));
  const rest = all.filter((entry) => !shown.has(entry));
  return [
    ...all.filter((entry) => shown.has(entry)),
    {
      key: `${kind} rest`,
      kind,
      id: null,
      name: `${rest.length} more`,
      perSecond: rest.reduce((sum, { perSecond }) => sum + perSecond, 0),
      keys: new Set(rest.flatMap(({ keys }) => [...keys])),
    },
  ];
}

function rateClass({ perSecond }: Entry): number {
  return Math.round(Math.log2(perSecond + 0.01) / 2);
}

function idIn(edge: EdgeRow, index: number): string {
  return index === 0 ? edge.sourceId : index === 1 ? edge.address : edge.destId;
}

/** Bands on the busier side of a node: a service has two sides, and they carry the same. */
function bandsHeight(edges: readonly EdgeRow[], keys: ReadonlySet<string>, index: number, bandWidth: (edge: EdgeRow) => number): number {
  return edges.filter((edge) => keys.has(idIn(edge, index))).reduce((sum, edge) => sum + bandWidth(edge) + bandGap, 0);
}

function bandsOf(
  edges: readonly EdgeRow[],
  nodes: readonly FlowNode[],
  columns: readonly (readonly Entry[])[],
  bandWidth: (edge: EdgeRow) => number,
): readonly FlowBand[] {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const nodeOf = columns.map((entries) => new Map(entries.flatMap((entry) => [...entry.keys].map((id) => [id, byKey.get(entry.key)] as const))));
  const used = new Map<string, number>();
  const take = (node: FlowNode, side: string, width: number, total: number): number => {
    const key = `${node.key} ${side}`;
    const start = used.get(key) ?? (node.height - total) / 2;
    used.set(key, start + width + bandGap);
    return node.y + start + width / 2;
  };
  const totals = columns.map((entries) => new Map(entries.map((entry) => [entry.key, bandsHeight(edges, entry.keys, columnOf(entry.kind), bandWidth)])));
  return edges.flatMap((edge): FlowBand[] => {
    const [client, service, server] = [0, 1, 2].map((index) => nodeOf[index]?.get(idIn(edge, index)));
    if (client === undefined || service === undefined || server === undefined) return [];
    const width = bandWidth(edge);
    const total = (node: FlowNode): number => totals[columnOf(node.kind)]?.get(node.key) ?? 0;
    const from = take(client, 'right', width, total(client));
    const into = take(service, 'left', width, total(service));
    const out = take(service, 'right', width, total(service));
    const to = take(server, 'left', width, total(server));
    return [
      {
        key: `${edge.sourceId} ${edge.destId} ${edge.address} ${edge.protocol}`,
        edge,
        clientKey: client.key,
        serviceKey: service.key,
        serverKey: server.key,
        width,
        intoService: curve(client.x + client.width, from, service.x, into),
        outOfService: curve(service.x + service.width, out, server.x, to),
        sign: { x: server.x - 13, y: to },
      },
    ];
  });
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const middle = (x1 + x2) / 2;
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${middle.toFixed(1)} ${y1.toFixed(1)} ${middle.toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
