import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Point } from '../layout/geometry.ts';
import { moved, zoomed, type Viewport } from '../layout/viewport.ts';

/** A finger or pointer must go so far before it moves the map: less is a click. */
const clickSlackPx = 4;

export interface MapGestures {
  /** Null: the whole map, fitted. */
  readonly view: Viewport | null;
  readonly setView: (view: Viewport | null) => void;
  /** Whether the last press moved the map, so that it was no click. */
  readonly wasMoved: () => boolean;
}

/** Moving and zooming a map with mouse, wheel, and one or two fingers. `limited` keeps the map from being lost. */
export function useViewport(
  element: RefObject<SVGSVGElement | null>,
  fitted: Viewport | null,
  limited: (view: Viewport) => Viewport,
): MapGestures {
  const [view, setView] = useState<Viewport | null>(null);
  const latest = useRef<Viewport | null>(null);
  const drawn = useRef<Viewport | null>(null);
  if (drawn.current !== view || latest.current === null || view === null) latest.current = view ?? fitted;
  drawn.current = view;
  const limit = useRef(limited);
  limit.current = limited;
  const didMove = useRef(false);
  useEffect(() => {
    const svg = element.current;
    if (svg === null) return undefined;
    const pointers = new Map<number, Point>();
    let start: Point | null = null;
    let frame = 0;
    // Wheels and fingers tell more often than the page is drawn.
    const show = (next: Viewport): void => {
      latest.current = limit.current(next);
      if (frame !== 0) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        setView(latest.current);
      });
    };
    const place = ({ clientX, clientY }: MouseEvent): Point => {
      const { left, top } = svg.getBoundingClientRect();
      return { x: clientX - left, y: clientY - top };
    };
    const down = (event: PointerEvent): void => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, place(event));
      start = place(event);
      didMove.current = false;
    };
    const move = (event: PointerEvent): void => {
      const before = pointers.get(event.pointerId);
      const current = latest.current;
      if (before === undefined || current === null || start === null) return;
      const at = place(event);
      if (!didMove.current && Math.hypot(at.x - start.x, at.y - start.y) < clickSlackPx) return;
      if (!didMove.current) svg.setPointerCapture(event.pointerId);
      didMove.current = true;
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, at);
      if (other === undefined) return show(moved(current, at.x - before.x, at.y - before.y));
      const factor = Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
      show(moved(zoomed(current, factor, middle), (at.x - before.x) / 2, (at.y - before.y) / 2));
    };
    const up = (event: PointerEvent): void => {
      pointers.delete(event.pointerId);
    };
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      const current = latest.current;
      if (current === null) return;
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const delta = Math.max(-120, Math.min(120, event.deltaY * lines));
      show(zoomed(current, Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0025)), place(event)));
    };
    svg.addEventListener('pointerdown', down);
    svg.addEventListener('pointermove', move);
    svg.addEventListener('pointerup', up);
    svg.addEventListener('pointercancel', up);
    svg.addEventListener('pointerleave', up);
    svg.addEventListener('wheel', wheel, { passive: false });
    return () => {
      cancelAnimationFrame(frame);
      svg.removeEventListener('pointerdown', down);
      svg.removeEventListener('pointermove', move);
      svg.removeEventListener('pointerup', up);
      svg.removeEventListener('pointercancel', up);
      svg.removeEventListener('pointerleave', up);
      svg.removeEventListener('wheel', wheel);
    };
  }, [element]);
  return { view, setView, wasMoved: () => didMove.current };
}
