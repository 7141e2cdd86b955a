import type { Box, Point } from './geometry.ts';

/** What of the map is seen: screen = map * scale + offset. */
export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const smallestScale = 0.04;
export const largestScale = 2.5;
/** So much of the map is always seen. */
const seenMargin = 80;

/** Shows the whole box with a margin around it, no larger than `limit`. */
export function fitted(bounds: Box, size: Size, margin: Size, limit = 1): Viewport {
  const width = Math.max(1, size.width - 2 * margin.width);
  const height = Math.max(1, size.height - 2 * margin.height);
  const wanted = Math.min(width / Math.max(1, bounds.width), height / Math.max(1, bounds.height), limit);
  const scale = Math.max(smallestScale, wanted);
  return {
    scale,
    x: size.width / 2 - (bounds.x + bounds.width / 2) * scale,
    y: size.height / 2 - (bounds.y + bounds.height / 2) * scale,
  };
}

/** Larger or smaller by a factor, with the point of the screen staying where it is. */
export function zoomed(view: Viewport, factor: number, at: Point): Viewport {
  const scale = Math.min(largestScale, Math.max(smallestScale, view.scale * factor));
  const change = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * change, y: at.y - (at.y - view.y) * change };
}

export function moved(view: Viewport, dx: number, dy: number): Viewport {
  return { scale: view.scale, x: view.x + dx, y: view.y + dy };
}

/** The same view, or the nearest one that shows at least an edge of the box. */
export function keptInView(view: Viewport, bounds: Box, size: Size): Viewport {
  const { scale } = view;
  const within = (value: number, start: number, length: number, room: number): number =>
    Math.min(room - seenMargin - start * scale, Math.max(seenMargin - (start + length) * scale, value));
  return { scale, x: within(view.x, bounds.x, bounds.width, size.width), y: within(view.y, bounds.y, bounds.height, size.height) };
}

/** The nearest point in the direction of an arrow key, which may lie up to 60 degrees aside; null when there is none. */
export function nextInDirection<T extends Point>(from: Point, points: readonly T[], dx: number, dy: number): T | null {
  let best: T | null = null;
  let bestLength = Number.POSITIVE_INFINITY;
  for (const point of points) {
    const along = (point.x - from.x) * dx + (point.y - from.y) * dy;
    const aside = Math.abs((point.x - from.x) * dy - (point.y - from.y) * dx);
    if (along <= 1e-6 || aside > along * 1.8) continue;
    const length = along + aside;
    if (length >= bestLength) continue;
    best = point;
    bestLength = length;
  }
  return best;
}
