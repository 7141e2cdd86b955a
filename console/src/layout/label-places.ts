import { boxAround, overlaps, type Box, type Point } from './geometry.ts';

export type LabelSide = 'below' | 'above' | 'right' | 'left';

export interface LabelWish {
  readonly id: string;
  /** Middle of the node. */
  readonly at: Point;
  readonly radius: number;
  readonly width: number;
  readonly height: number;
  /** Labels with more rank are placed first. */
  readonly rank: number;
  /** May lie on nodes, though never on another label, when there is no better place. */
  readonly isImportant: boolean;
}

const sides: readonly LabelSide[] = ['below', 'above', 'right', 'left'];
const cellSize = 80;
const gap = 2;

/** Which nodes get their label, and at which side of them, so that no label lies on another or leaves the frame. */
export function placeLabels(wishes: readonly LabelWish[], frame: Box | null): ReadonlyMap<string, LabelSide> {
  const nodes = new BoxGrid();
  const labels = new BoxGrid();
  for (const { id, at, radius } of wishes) nodes.add(id, boxAround(at, radius * 2, radius * 2));
  const placed = new Map<string, LabelSide>();
  for (const wish of [...wishes].sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1))) {
    const free = sides.filter((side) => isInside(labelBox(wish, side), frame) && labels.isFree(wish.id, labelBox(wish, side)));
    const side = free.find((candidate) => nodes.isFree(wish.id, labelBox(wish, candidate))) ?? (wish.isImportant ? free[0] : undefined);
    if (side === undefined) continue;
    placed.set(wish.id, side);
    labels.add(wish.id, labelBox(wish, side));
  }
  return placed;
}

function labelBox({ at, radius, width, height }: LabelWish, side: LabelSide): Box {
  const away = radius + gap;
  if (side === 'below') return { x: at.x - width / 2, y: at.y + away, width, height };
  if (side === 'above') return { x: at.x - width / 2, y: at.y - away - height, width, height };
  return { x: side === 'right' ? at.x + away : at.x - away - width, y: at.y - height / 2, width, height };
}

function isInside(box: Box, frame: Box | null): boolean {
  if (frame === null) return true;
  return box.x >= frame.x && box.y >= frame.y && box.x + box.width <= frame.x + frame.width && box.y + box.height <= frame.y + frame.height;
}

/** Boxes by the squares of a grid that they touch. */
class BoxGrid {
  readonly #cells = new Map<string, { readonly id: string; readonly box: Box }[]>();

  add(id: string, box: Box): void {
    for (const key of cellsOf(box)) {
      const cell = this.#cells.get(key);
      if (cell === undefined) this.#cells.set(key, [{ id, box }]);
      else cell.push({ id, box });
    }
  }

  /** Whether no box of another lies there. */
  isFree(id: string, box: Box): boolean {
    return cellsOf(box).every((key) => (this.#cells.get(key) ?? []).every((other) => other.id === id || !overlaps(box, other.box, gap)));
  }
}

function cellsOf(box: Box): readonly string[] {
  const keys: string[] = [];
  for (let x = Math.floor((box.x - gap) / cellSize); x <= Math.floor((box.x + box.width + gap) / cellSize); x += 1) {
    for (let y = Math.floor((box.y - gap) / cellSize); y <= Math.floor((box.y + box.height + gap) / cellSize); y += 1)
      keys.push(`${x},${y}`);
  }
  return keys;
}

/** Whether boxes of this size around all points lie apart from each other. */
export function allApart(points: readonly Point[], width: number, height: number, distance: number): boolean {
  const ordered = [...points].sort((a, b) => a.x - b.x);
  for (const [index, point] of ordered.entries()) {
    const box = boxAround(point, width, height);
    for (let next = index + 1; next < ordered.length; next += 1) {
      const other = ordered[next];
      if (other === undefined || other.x - point.x > width + distance) break;
      if (overlaps(box, boxAround(other, width, height), distance)) return false;
    }
  }
  return true;
}
