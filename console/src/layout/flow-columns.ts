import type { EdgeRow } from '../../../src/flows/network-snapshot.ts';
import { totalOf, type Total } from '../model/golden.ts';
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
  /** Edges that it stands for, the busiest first; one, but for those of entries that stand for many. */
  readonly edges: readonly EdgeRow[];
  readonly total: Total;
  readonly clientKey: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly width: number;
  readonly intoService: string;
  readonly outOfService: string;
  /** Where a sign for the band has room: close to its server. */
  readonly sign: { readonly x: number; readonly y: number } | null;
}

export interface FlowPicture {
  readonly nodes: readonly FlowNode[];
  readonly bands: readonly FlowBand[];
  readonly height: number;
}

const nodeHeight = 44;
const nodeGap = 10;
/** In a column with many entries. */
const lowNodeHeight = 24;
const lowNodeGap = 5;
const manyEntries = 10;
const top = 34;
const smallestBand = 2;
const largestBand = 15;
/** All bands together are made to be about so high. */
const bandsLimit = 440;
/** With more edges than this they have no signs. */
const signsLimit = 40;
/** More entries in a column are drawn as one. */
export const columnLimit = 14;

/**
 * Who talks to whom in three columns: sites of clients, services, sites of servers. Entries are in the order of their names, so that they
 * stay where they are.
 */
export function flowPicture(edges: readonly EdgeRow[], { width }: Size): FlowPicture {
  const columns = [
    column(edges, 0, ({ sourceName }) => sourceName),
    column(edges, 1, ({ address }) => address),
    column(edges, 2, ({ destName }) => destName),
  ];
  const sized = sizedBands(mergedEdges(edges, columns));
  const nodeWidth = Math.max(92, Math.min(200, width * 0.24));
  const nodes: FlowNode[] = [];
  const heights: number[] = [];
  for (const [index, entries] of columns.entries()) {
    const isLow = entries.length > manyEntries;
    let y = top;
    for (const { key, kind, id, name, perSecond } of entries) {
      const height = Math.max(isLow ? lowNodeHeight : nodeHeight, slotsOf(sized, key) + 8);
      nodes.push({ key, kind, id, name, perSecond, x: (index * (width - nodeWidth)) / 2, y, width: nodeWidth, height });
      y += height + (isLow ? lowNodeGap : nodeGap);
    }
    heights.push(y);
  }
  const height = Math.max(...heights, 0);
  const placed = nodes.map((node) => ({ ...node, y: node.y + (height - (heights[kinds.indexOf(node.kind)] ?? height)) / 2 }));
  return { nodes: placed, bands: drawnBands(sized, placed), height };
}

const kinds = ['client', 'service', 'server'] as const;

interface Entry {
  readonly key: string;
  readonly kind: FlowNode['kind'];
  readonly id: string | null;
  readonly name: string;
  readonly perSecond: number;
  /** Ids or addresses that it stands for. */
  readonly ids: ReadonlySet<string>;
}

function idIn(edge: EdgeRow, index: number): string {
  return index === 0 ? edge.sourceId : index === 1 ? edge.address : edge.destId;
}

/** The entries of a column by name; when there are too many, the busiest of them and one for the rest. */
function column(edges: readonly EdgeRow[], index: 0 | 1 | 2, nameOf: (edge: EdgeRow) => string): readonly Entry[] {
  const kind = kinds[index];
  const sums = new Map<string, { readonly name: string; perSecond: number }>();
  for (const edge of edges) {
    const sum = sums.get(idIn(edge, index));
    if (sum === undefined) sums.set(idIn(edge, index), { name: nameOf(edge), perSecond: edge.golden.perSecond });
    else sum.perSecond += edge.golden.perSecond;
  }
  const all = [...sums].map(([id, { name, perSecond }]): Entry => ({
    key: `${kind} ${id}`,
    kind,
    id,
    name,
    perSecond,
    ids: new Set([id]),
  }));
  all.sort((a, b) => compare(a.name, b.name) || compare(a.key, b.key));
  if (all.length <= columnLimit) return all;
  // By powers of four of the rate: small changes do not make entries come and go.
  const byRate = [...all].sort((a, b) => rateClass(b) - rateClass(a) || compare(a.name, b.name));
  const shown = new Set(byRate.slice(0, columnLimit - 1));
  const rest = all.filter((entry) => !shown.has(entry));
  const perSecond = rest.reduce((sum, entry) => sum + entry.perSecond, 0);
  const ids = new Set(rest.flatMap((entry) => [...entry.ids]));
  return [...all.filter((entry) => shown.has(entry)), { key: `${kind} rest`, kind, id: null, name: `${rest.length} more`, perSecond, ids }];
}

function rateClass({ perSecond }: Entry): number {
  return Math.round(Math.log2(perSecond + 0.01) / 2);
}

type Merged = Pick<FlowBand, 'key' | 'edges' | 'total' | 'clientKey' | 'serviceKey' | 'serverKey'>;
type Sized = Merged & { readonly width: number; readonly slot: number };

/** Edges between the same three entries become one. */
function mergedEdges(edges: readonly EdgeRow[], columns: readonly (readonly Entry[])[]): readonly Merged[] {
  const keys = columns.map((entries) => new Map(entries.flatMap(({ key, ids }) => [...ids].map((id) => [id, key] as const))));
  const groups = new Map<string, EdgeRow[]>();
  for (const edge of edges) {
    const key = keys.map((byId, index) => byId.get(idIn(edge, index)) ?? '').join('|');
    groups.set(key, [...(groups.get(key) ?? []), edge]);
  }
  const merged = [...groups].map(([key, group]): Merged => {
    const [clientKey = '', serviceKey = '', serverKey = ''] = key.split('|');
    const sorted = group.sort((a, b) => b.golden.perSecond - a.golden.perSecond);
    return { key, edges: sorted, total: totalOf(group.map(({ golden }) => golden)), clientKey, serviceKey, serverKey };
  });
  return merged.sort(
    (a, b) => compare(a.serviceKey, b.serviceKey) || compare(a.clientKey, b.clientKey) || compare(a.serverKey, b.serverKey),
  );
}

function sizedBands(bands: readonly Merged[]): readonly Sized[] {
  const busiest = Math.max(1e-9, ...bands.map(({ total }) => total.perSecond));
  const wanted = ({ total }: Merged): number => smallestBand + (largestBand - smallestBand) * Math.sqrt(total.perSecond / busiest);
  const sum = bands.reduce((all, band) => all + wanted(band), 0);
  const shrink = Math.min(1, bandsLimit / Math.max(1, sum));
  const gap = bands.length > signsLimit ? 0.4 : 2;
  return bands.map((band) => {
    const width = Math.max(0.8, wanted(band) * shrink);
    return { ...band, width, slot: width + gap };
  });
}

function slotsOf(bands: readonly Sized[], key: string): number {
  return bands.reduce((sum, band) => sum + ([band.clientKey, band.serviceKey, band.serverKey].includes(key) ? band.slot : 0), 0);
}

function drawnBands(bands: readonly Sized[], nodes: readonly FlowNode[]): readonly FlowBand[] {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const used = new Map<string, number>();
  const signs = new Map<string, number>();
  const take = (node: FlowNode, side: 'left' | 'right', slot: number): number => {
    const key = `${side} ${node.key}`;
    const start = used.get(key) ?? (node.height - slotsOf(bands, node.key)) / 2;
    used.set(key, start + slot);
    return node.y + start + slot / 2;
  };
  return bands.flatMap((band): FlowBand[] => {
    const [client, service, server] = [band.clientKey, band.serviceKey, band.serverKey].map((key) => byKey.get(key));
    if (client === undefined || service === undefined || server === undefined) return [];
    const from = take(client, 'right', band.slot);
    const into = take(service, 'left', band.slot);
    const out = take(service, 'right', band.slot);
    const to = take(server, 'left', band.slot);
    const hasSign = bands.length <= signsLimit && band.edges.some(({ secured }) => secured !== 'local');
    const sign = signs.get(server.key) ?? 0;
    if (hasSign) signs.set(server.key, sign + 1);
    return [
      {
        ...band,
        intoService: curve(client.x + client.width, from, service.x, into),
        outOfService: curve(service.x + service.width, out, server.x, to),
        sign: hasSign ? { x: server.x - 14 - (sign % 3) * 19, y: to } : null,
      },
    ];
  });
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const middle = ((x1 + x2) / 2).toFixed(1);
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${middle} ${y1.toFixed(1)} ${middle} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
