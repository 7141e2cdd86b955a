import { boxAround, overlaps, type Box, type Point } from './geometry.ts';

export interface LabelWish {
  readonly id: string;
  /** Middle of the node. */
  readonly at: Point;
  readonly radius: number;
  readonly width: number;
  readonly height: number;
  /** Labels with more rank are placed first. */
  readonly rank: number;
}

const cellSize = 80;

/** Which nodes get their label, below them, so that no label lies on another or on a node. */
export function placeLabels(wishes: readonly LabelWish[]): ReadonlySet<string> {
  const cells = new Map<string, { readonly id: string; readonly box: Box }[]>();
  const cellsOf = (box: Box): string[] => {
    const keys: string[] = [];
    for (let x = Math.floor(box.x / cellSize); x <= Math.floor((box.x + box.width) / cellSize); x += 1) {
      for (let y = Math.floor(box.y / cellSize); y <= Math.floor((box.y + box.height) / cellSize); y += 1) keys.push(`${x},${y}`);
    }
    return keys;
  };
  const add = (id: string, box: Box): void => {
    for (const key of cellsOf(box)) {
      const cell = cells.get(key);
      if (cell === undefined) cells.set(key, [{ id, box }]);
      else cell.push({ id, box });
    }
  };
  for (const { id, at, radius } of wishes) add(id, boxAround(at, radius * 2, radius * 2));
  const placed = new Set<string>();
  for (const wish of [...wishes].sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1))) {
    const box = labelBox(wish);
    const isFree = cellsOf(box).every((key) => (cells.get(key) ?? []).every((other) => other.id === wish.id || !overlaps(box, other.box, 2)));
    if (!isFree) continue;
    placed.add(wish.id);
    add(`label of ${wish.id}`, box);
  }
  return placed;
}

function labelBox({ at, radius, width, height }: LabelWish): Box {
  return { x: at.x - width / 2, y: at.y + radius + 2, width, height };
}

/** Whether boxes of this size around all points lie apart from each other. */
export function allApart(points: readonly Point[], width: number, height: number, gap: number): boolean {
  const ordered = [...points].sort((a, b) => a.x - b.x);
  for (const [index, point] of ordered.entries()) {
    const box = boxAround(point, width, height);
    for (let next = index + 1; next < ordered.length; next += 1) {
      const other = ordered[next];
      if (other === undefined || other.x - point.x > width + gap) break;
      if (overlaps(box, boxAround(other, width, height), gap)) return false;
    }
  }
  return true;
}
