export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function boxAround({ x, y }: Point, width: number, height: number): Box {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

export function overlaps(a: Box, b: Box, gap = 0): boolean {
  return a.x < b.x + b.width + gap && b.x < a.x + a.width + gap && a.y < b.y + b.height + gap && b.y < a.y + a.height + gap;
}

export function between(a: Point, b: Point, part: number): Point {
  return { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
}

/** Where the line from the middle of a box to `to` leaves the box, a little outside. */
export function leaveBox(middle: Point, to: Point, halfWidth: number, halfHeight: number, gap: number): Point {
  const dx = to.x - middle.x;
  const dy = to.y - middle.y;
  const length = Math.hypot(dx, dy);
  if (length === 0) return middle;
  const part = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : (halfWidth + gap) / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : (halfHeight + gap) / Math.abs(dy),
  );
  return between(middle, to, Math.min(part, 1));
}

/** The line moved aside, to the right as seen along it. */
export function movedAside(a: Point, b: Point, distance: number): readonly [Point, Point] {
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (length === 0) return [a, b];
  const x = (-(b.y - a.y) / length) * distance;
  const y = ((b.x - a.x) / length) * distance;
  return [
    { x: a.x + x, y: a.y + y },
    { x: b.x + x, y: b.y + y },
  ];
}

/** A box around all points; of no size around nothing. */
export function boundsOf(points: Iterable<Point>): Box {
  let left = Number.POSITIVE_INFINITY;
  let top = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (const { x, y } of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return left > right ? { x: 0, y: 0, width: 0, height: 0 } : { x: left, y: top, width: right - left, height: bottom - top };
}
