import type { LinkRow, SiteRow } from '../../../src/flows/network-snapshot.ts';
import { byteRateText } from '../format/number-text.ts';
import { roughDurationText } from '../format/time-text.ts';
import { between, boundsOf, boxAround, leaveBox, overlaps, type Box, type Point } from './geometry.ts';
import { allApart, placeLabels, type LabelSide } from './label-places.ts';
import type { Size } from './viewport.ts';

export const cardSize: Size = { width: 152, height: 46 };
/** Distance of two neighbours on the map at scale 1, for maps wider than high and for others. */
const wideHop: Size = { width: 285, height: 175 };
const tallHop: Size = { width: 190, height: 170 };
const longestStretch = 1.8;
/** With more sites than this, all are drawn as dots however far the map is zoomed out or in. */
const cardLimit = 60;
/** Labels of links, and traffic that moves, are for maps on which one can follow them. */
const detailLimit = 60;
/** Arrows on many short lines only confuse. */
const arrowScale = 0.7;
const labelHeight = 16;
const letterWidth = 6.4;
const longestLabel = 22;

export interface SceneNode {
  readonly site: SiteRow;
  readonly at: Point;
  readonly degree: number;
  readonly radius: number;
  /** Where its label has room; null when it has none. Cards have their name inside. */
  readonly label: LabelSide | null;
}

export interface SceneLink {
  readonly link: LinkRow;
  readonly from: Point;
  readonly to: Point;
  readonly label: { readonly text: string; readonly at: Point; readonly width: number } | null;
  readonly width: number;
}

export interface Scene {
  readonly shape: 'cards' | 'dots';
  /** Whether lanes with moving traffic are drawn. */
  readonly isDetailed: boolean;
  /** Whether every link shows which way it was dialled. */
  readonly hasArrows: boolean;
  readonly nodes: readonly SceneNode[];
  readonly links: readonly SceneLink[];
}

export interface SceneInput {
  readonly sites: readonly SiteRow[];
  readonly links: readonly LinkRow[];
  /** In hops. */
  readonly places: ReadonlyMap<string, Point>;
  readonly scale: number;
  readonly hop: MapHop;
  /** What is seen of the map while it has not been moved; null when labels may lie outside. */
  readonly frame: Box | null;
  /** Sites whose label comes first: selected, found, under the pointer. */
  readonly preferred: ReadonlySet<string>;
}

/** How one hop is drawn at scale 1. On a tall map what lies across in the layout stands upright. */
export interface MapHop extends Size {
  readonly isTall: boolean;
}

/** A hop for a frame: the shorter extent of the map is stretched towards the form of the frame. */
export function mapHop(places: ReadonlyMap<string, Point>, ids: readonly string[], frame: Size): MapHop {
  const isTall = frame.height > frame.width * 1.05;
  const hop = { ...(isTall ? tallHop : wideHop), isTall };
  const { width, height } = boundsOf(mapPlaces(places, ids, hop).values());
  if (width < 1 || height < 1) return hop;
  const missing = frame.height / frame.width / (height / width);
  const stretch = Math.min(longestStretch, Math.max(missing, 1 / missing));
  return missing > 1 ? { ...hop, height: hop.height * stretch } : { ...hop, width: hop.width * stretch };
}

/** Places in pixels at scale 1. */
export function mapPlaces(places: ReadonlyMap<string, Point>, ids: readonly string[], hop: MapHop): ReadonlyMap<string, Point> {
  const found = new Map<string, Point>();
  for (const id of ids) {
    const { x, y } = places.get(id) ?? { x: 0, y: 0 };
    found.set(id, hop.isTall ? { x: y * hop.width, y: x * hop.height } : { x: x * hop.width, y: y * hop.height });
  }
  return found;
}

/** What is drawn where, before the map is moved: only zooming changes it. */
export function mapScene({ sites, links, places, scale, hop, frame, preferred }: SceneInput): Scene {
  const ids = sites.map(({ id }) => id);
  const points = new Map([...mapPlaces(places, ids, hop)].map(([id, { x, y }]) => [id, { x: x * scale, y: y * scale }]));
  const isCards = sites.length <= cardLimit && allApart([...points.values()], cardSize.width, cardSize.height, 6);
  const degrees = degreesOf(links);
  const radius = (id: string): number => nodeRadius(degrees.get(id) ?? 0, scale, sites.length);
  const hubDegree = Math.max(3, (4 * links.length) / Math.max(1, sites.length));
  const labels = isCards
    ? new Map<string, LabelSide>()
    : placeLabels(
        sites.map((site) => ({
          id: site.id,
          at: points.get(site.id) ?? { x: 0, y: 0 },
          radius: radius(site.id),
          width: Math.min(longestLabel, site.name.length) * letterWidth + 4,
          height: labelHeight,
          rank: (preferred.has(site.id) ? 1e6 : 0) + (site.relation === 'self' ? 1e5 : 0) + (degrees.get(site.id) ?? 0),
          isImportant: preferred.has(site.id) || site.relation === 'self' || (degrees.get(site.id) ?? 0) > hubDegree,
        })),
        frame,
      );
  const nodes = sites.map((site): SceneNode => ({
    site,
    at: points.get(site.id) ?? { x: 0, y: 0 },
    degree: degrees.get(site.id) ?? 0,
    radius: radius(site.id),
    label: labels.get(site.id) ?? null,
  }));
  return {
    shape: isCards ? 'cards' : 'dots',
    isDetailed: isCards && links.length <= detailLimit,
    hasArrows: isCards || scale > arrowScale || links.length <= detailLimit,
    nodes,
    links: placedLinks(links, points, isCards),
  };
}

function placedLinks(links: readonly LinkRow[], points: ReadonlyMap<string, Point>, isCards: boolean): readonly SceneLink[] {
  const cards = [...points.values()].map((at) => boxAround(at, cardSize.width, cardSize.height));
  const taken: Box[] = [];
  return links.flatMap((link): SceneLink[] => {
    const a = points.get(link.from);
    const b = points.get(link.to);
    if (a === undefined || b === undefined || link.from === link.to) return [];
    const from = isCards ? leaveBox(a, b, cardSize.width / 2, cardSize.height / 2, 3) : a;
    const to = isCards ? leaveBox(b, a, cardSize.width / 2, cardSize.height / 2, 5) : b;
    const label = isCards && links.length <= detailLimit ? linkLabel(link, from, to, [...cards, ...taken]) : null;
    if (label !== null) taken.push(boxAround(label.at, label.width, labelHeight + 2));
    return [{ link, from, to, label, width: linkWidth(link.bytesPerSecond + link.bytesReversePerSecond) }];
  });
}

/** Where there is room for it on the line; null when there is none. */
function linkLabel(link: LinkRow, from: Point, to: Point, taken: readonly Box[]): SceneLink['label'] {
  const text = linkLabelText(link);
  const width = text.length * letterWidth + 14;
  for (const part of [0.5, 0.4, 0.6, 0.32, 0.68]) {
    const at = between(from, to, part);
    const box = boxAround(at, width, labelHeight + 2);
    if (taken.every((other) => !overlaps(box, other, 2))) return { text, at, width };
  }
  return null;
}

export function linkLabelText({ cost, state, roundTripMs }: LinkRow): string {
  if (state === 'down') return `cost ${cost} · down`;
  return roundTripMs === null ? `cost ${cost}` : `cost ${cost} · ${roughDurationText(roundTripMs)}`;
}

/** Width of a line by what it carries: from 1.25 for nothing to 6 for 100 MB/s and more. */
export function linkWidth(bytesPerSecond: number): number {
  return Math.min(6, 1.25 + Math.max(0, Math.log10(1 + bytesPerSecond / 1000)) * 0.95);
}

/** How fast traffic seems to move: none, slow, middle, fast. */
export function flowSpeed(bytesPerSecond: number): 0 | 1 | 2 | 3 {
  if (bytesPerSecond < 1) return 0;
  if (bytesPerSecond < 20_000) return 1;
  return bytesPerSecond < 1_000_000 ? 2 : 3;
}

export function trafficText({ bytesPerSecond, bytesReversePerSecond, fromName, toName }: LinkRow): readonly [string, string] {
  return [`${fromName} → ${toName} ${byteRateText(bytesPerSecond)}`, `${toName} → ${fromName} ${byteRateText(bytesReversePerSecond)}`];
}

function degreesOf(links: readonly LinkRow[]): ReadonlyMap<string, number> {
  const degrees = new Map<string, number>();
  for (const { from, to } of links) {
    degrees.set(from, (degrees.get(from) ?? 0) + 1);
    degrees.set(to, (degrees.get(to) ?? 0) + 1);
  }
  return degrees;
}

/** Dots of sites with many links are larger; all shrink when they would cover each other. */
function nodeRadius(degree: number, scale: number, count: number): number {
  const wanted = 4 + Math.min(7, Math.sqrt(degree) * 1.1);
  return count > cardLimit ? Math.max(2.5, wanted * Math.min(1, scale * 3.5)) : wanted;
}
