import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { boundsOf } from '../layout/geometry.ts';
import { mapHop, mapPlaces, mapScene, type MapHop } from '../layout/map-scene.ts';
import { fitted, keptInView, moved, nextInDirection, zoomed, type Viewport } from '../layout/viewport.ts';
import { cheapestPath } from '../model/cheapest-path.ts';
import { isFoundSite } from '../model/table-order.ts';
import { useSize } from '../parts/use-size.ts';
import { useConsole } from '../state/use-console.ts';
import { MapLegend } from './map-legend.tsx';
import { MapLink, MapLinkLabel } from './map-link.tsx';
import { MapNode, MapNodeLabel } from './map-node.tsx';
import { MapTools } from './map-tools.tsx';
import { useViewport } from './use-viewport.ts';

interface NetworkMapProperties {
  readonly snapshot: NetworkSnapshot;
  readonly search: string;
  readonly selectedSite: string | null;
  readonly selectedLink: string | null;
  readonly onSite: (id: string | null) => void;
  readonly onLink: (id: string) => void;
}

const panStepPx = 60;
/** A few sites on a large screen are not drawn further apart than this. */
const largestFit = 1.5;
const zoomStep = 1.25;
const arrows: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Sites and the links between them. */
export function NetworkMap(properties: NetworkMapProperties): JSX.Element {
  const { snapshot, search, selectedSite, selectedLink, onSite, onLink } = properties;
  const { sites, links, warnings } = snapshot;
  const { places: kept } = useConsole();
  const frame = useRef<HTMLDivElement>(null);
  const svg = useRef<SVGSVGElement>(null);
  const size = useSize(frame);
  const [pointed, setPointed] = useState<string | null>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const [, setArranged] = useState(0);

  const self = sites.find(({ relation }) => relation === 'self')?.id ?? null;
  const pairs = links.map(({ from, to }): [string, string] => [from, to]);
  const ids = sites.map(({ id }) => id);
  const places = kept.update(ids, pairs, self);
  const { hop, fit } = useMemo((): { readonly hop: MapHop | null; readonly fit: Viewport | null } => {
    if (size === null || size.width === 0) return { hop: null, fit: null };
    const margin =
      ids.length > 60 ? { width: Math.min(90, size.width * 0.12), height: 36 } : { width: Math.min(96, size.width * 0.23), height: 50 };
    const hopSize = mapHop(places, ids, { width: size.width - 2 * margin.width, height: size.height - 2 * margin.height });
    return { hop: hopSize, fit: fitted(boundsOf(mapPlaces(places, ids, hopSize).values()), size, margin, largestFit) };
  }, [places, ids.join(' '), size]);
  const keep = (next: Viewport): Viewport =>
    hop === null || size === null ? next : keptInView(next, boundsOf(mapPlaces(places, ids, hop).values()), size);
  const { view: moves, setView, wasMoved } = useViewport(svg, fit, keep);
  const view = moves ?? fit;

  const found = useMemo(
    () => (search.trim() === '' ? null : new Set(sites.filter((site) => isFoundSite(search, site)).map(({ id }) => id))),
    [sites, search],
  );
  const preferred = new Set([...(found ?? []), ...[selectedSite, pointed, focused].filter((id) => id !== null)]);
  const seen = moves === null && view !== null && size !== null ? { x: -view.x, y: -view.y, ...size } : null;
  const scene = view === null || hop === null ? null : mapScene({ sites, links, places, scale: view.scale, hop, frame: seen, preferred });
  const path = selectedSite === null || self === null ? null : cheapestPath(links, self, selectedSite);
  const isOnPath = (from: string, to: string): boolean => {
    const index = path?.sites.indexOf(from) ?? -1;
    return path !== null && index >= 0 && (path.sites[index + 1] === to || path.sites[index - 1] === to);
  };
  const warned = new Map<string, number>();
  for (const { siteName } of warnings) warned.set(siteName, (warned.get(siteName) ?? 0) + 1);
  const tabStop = [focused, selectedSite, self, ids[0]].find((id) => id !== null && id !== undefined && ids.includes(id)) ?? null;

  const changeView = (next: Viewport): void => setView(keep(next));
  useEffect(() => {
    const at = scene?.nodes.find(({ site }) => site.id === selectedSite)?.at;
    if (at === undefined || view === null || size === null) return;
    const [x, y] = [at.x + view.x, at.y + view.y];
    if (x < 0 || y < 0 || x > size.width || y > size.height) changeView(moved(view, size.width / 2 - x, size.height / 2 - y));
  }, [selectedSite]);
  const zoom = (factor: number): void => {
    if (view !== null && size !== null) changeView(zoomed(view, factor, { x: size.width / 2, y: size.height / 2 }));
  };
  const arrange = (): void => {
    kept.arrange(ids, pairs, self);
    setView(null);
    setArranged((count) => count + 1);
  };
  const focusSite = (id: string): void => {
    setFocused(id);
    requestAnimationFrame(() => {
      for (const node of svg.current?.querySelectorAll<SVGGElement>('.node') ?? []) if (node.dataset['site'] === id) node.focus();
    });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || view === null) return;
    const arrow = arrows[event.key];
    if (arrow !== undefined && event.shiftKey) changeView(moved(view, -arrow[0] * panStepPx, -arrow[1] * panStepPx));
    else if (arrow !== undefined) {
      const nodes = (scene?.nodes ?? []).map(({ site, at }) => ({ id: site.id, x: at.x, y: at.y }));
      const from = nodes.find(({ id }) => id === tabStop);
      const next = from === undefined ? null : nextInDirection(from, nodes, arrow[0], arrow[1]);
      if (next !== null) focusSite(next.id);
    } else if (event.key === '+' || event.key === '=') zoom(zoomStep);
    else if (event.key === '-') zoom(1 / zoomStep);
    else if (event.key === '0') setView(null);
    else if ((event.key === 'Enter' || event.key === ' ') && tabStop !== null && event.target instanceof SVGGElement) onSite(tabStop);
    else return;
    event.preventDefault();
  };
  const select =
    <T extends string | null>(choose: (id: T) => void) =>
    (id: T): void => {
      if (!wasMoved()) choose(id);
    };
  const isLinkDimmed = (from: string, to: string): boolean => found !== null && !found.has(from) && !found.has(to);

  return (
    <>
      <div class="map" ref={frame} data-map="network">
        <svg
          ref={svg}
          class="map-canvas"
          role="group"
          aria-label={`Map of ${sites.length} sites and ${links.length} links. Arrow keys go from site to site, Enter selects, plus and minus zoom. The same as tables: Sites and Links.`}
          width={size?.width ?? 0}
          height={size?.height ?? 0}
          onKeyDown={onKeyDown}
          onClick={(event) => (event.target === event.currentTarget && !wasMoved() ? onSite(null) : undefined)}
        >
          {scene === null || view === null ? null : (
            <g transform={`translate(${view.x.toFixed(1)} ${view.y.toFixed(1)})`}>
              {scene.links.map((row) => (
                <MapLink
                  key={row.link.id}
                  scene={row}
                  isDetailed={scene.isDetailed}
                  hasArrow={scene.hasArrows}
                  isSelected={row.link.id === selectedLink}
                  isOnPath={isOnPath(row.link.from, row.link.to)}
                  isDimmed={isLinkDimmed(row.link.from, row.link.to)}
                  onSelect={select(onLink)}
                />
              ))}
              {scene.links.map((row) => (
                <MapLinkLabel key={row.link.id} scene={row} isDimmed={isLinkDimmed(row.link.from, row.link.to)} onSelect={select(onLink)} />
              ))}
              {scene.nodes.map((node) => (
                <MapNode
                  key={node.site.id}
                  node={node}
                  shape={scene.shape}
                  isSelected={node.site.id === selectedSite}
                  isDimmed={found !== null && !found.has(node.site.id)}
                  isTabStop={node.site.id === tabStop}
                  warnings={warned.get(node.site.name) ?? 0}
                  onSelect={select((id: string) => onSite(id === selectedSite ? null : id))}
                  onPoint={scene.shape === 'dots' ? setPointed : ignore}
                />
              ))}
              {scene.nodes.map((node) => (
                <MapNodeLabel key={node.site.id} node={node} isDimmed={found !== null && !found.has(node.site.id)} />
              ))}
            </g>
          )}
        </svg>
        {found === null ? null : (
          <p class="map-found" role="status">
            {found.size} of {sites.length} sites
          </p>
        )}
        <MapTools onZoom={zoom} onFit={() => setView(null)} onArrange={arrange} zoomStep={zoomStep} />
      </div>
      <MapLegend shape={scene?.shape ?? 'cards'} />
    </>
  );
}

function ignore(): void {
  // Cards need no label under the pointer.
}
