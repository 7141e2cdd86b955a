import type { JSX } from 'preact';
import type { SiteRow } from '../../../src/flows/network-snapshot.ts';
import { percentText, roughNumber } from '../format/number-text.ts';
import { shortName, visibleName } from '../format/visible-name.ts';
import type { LabelSide } from '../layout/label-places.ts';
import { ClippedText } from './clipped-text.tsx';
import { cardSize, type SceneNode } from '../layout/map-scene.ts';
import { successTone } from '../model/golden.ts';

interface MapNodeProperties {
  readonly node: SceneNode;
  readonly shape: 'cards' | 'dots';
  readonly isSelected: boolean;
  readonly isDimmed: boolean;
  readonly isTabStop: boolean;
  readonly warnings: number;
  readonly onSelect: (id: string) => void;
  readonly onPoint: (id: string | null) => void;
}

/** A site on the map. */
export function MapNode(properties: MapNodeProperties): JSX.Element {
  const { node, shape, isSelected, isDimmed, isTabStop, warnings, onSelect, onPoint } = properties;
  const { site, at } = node;
  const classes = [
    'node',
    `is-${site.relation}`,
    `is-${site.state}`,
    ...(isSelected ? ['is-selected'] : []),
    ...(isDimmed ? ['is-dimmed'] : []),
  ];
  return (
    <g
      class={classes.join(' ')}
      transform={`translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`}
      role="button"
      tabindex={isTabStop ? 0 : -1}
      aria-pressed={isSelected}
      aria-label={nodeText(site, warnings)}
      data-site={site.id}
      onClick={() => onSelect(site.id)}
      onPointerEnter={() => onPoint(site.id)}
      onPointerLeave={() => onPoint(null)}
    >
      <title>{nodeText(site, warnings)}</title>
      {shape === 'cards' ? <Card site={site} warnings={warnings} /> : <Dot node={node} warnings={warnings} />}
    </g>
  );
}

function Card({ site, warnings }: { readonly site: SiteRow; readonly warnings: number }): JSX.Element {
  const { width, height } = cardSize;
  const isWarned = warnings > 0;
  return (
    <>
      <rect class="node-ring" x={-width / 2 - 3} y={-height / 2 - 3} width={width + 6} height={height + 6} rx="11" />
      <rect class="node-card" x={-width / 2} y={-height / 2} width={width} height={height} rx="8" />
      <circle class={`node-state tone-${stateTone(site)}`} cx={-width / 2 + 14} cy="-7" r="3.5" />
      <ClippedText x={-width / 2 + 24} y={-3} width={width - 34 - (site.relation === 'self' ? 34 : 0) - (isWarned ? 20 : 0)}>
        {shortName(site.name, site.relation === 'self' ? 10 : isWarned ? 12 : 14)}
      </ClippedText>
      {site.relation === 'self' ? (
        <text class="node-tag" x={width / 2 - (isWarned ? 30 : 10)} y="-3" text-anchor="end">
          here
        </text>
      ) : null}
      {isWarned ? <WarningMark x={width / 2 - 15} y={-7} /> : null}
      <text class="node-rate" x={-width / 2 + 24} y="13.5">
        {loadText(site)}
      </text>
    </>
  );
}

function Dot({ node, warnings }: { readonly node: SceneNode; readonly warnings: number }): JSX.Element {
  const { radius, site } = node;
  return (
    <>
      <circle class="node-target" r={Math.max(12, radius + 4)} />
      <circle class="node-ring" r={radius + 4} />
      <circle class={`node-dot tone-${stateTone(site)}`} r={radius} />
      {warnings > 0 ? <WarningMark x={radius + 3} y={-radius - 1} /> : null}
    </>
  );
}

function WarningMark({ x, y }: { readonly x: number; readonly y: number }): JSX.Element {
  return (
    <g class="node-warning" transform={`translate(${x} ${y})`}>
      <path d="M0-6 6.5 5.5h-13Z" />
      <path class="node-warning-sign" d="M0-2v3.2M0 3.2h.01" />
    </g>
  );
}

/** The label stands above all dots. */
export function MapNodeLabel({ node, isDimmed }: { readonly node: SceneNode; readonly isDimmed: boolean }): JSX.Element | null {
  const { site, at, radius, label } = node;
  if (label === null) return null;
  return (
    <text
      class={`node-label ${isDimmed ? 'is-dimmed' : ''}`}
      transform={`translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`}
      aria-hidden="true"
      {...labelPlaces(radius)[label]}
    >
      {shortName(site.name, 22)}
    </text>
  );
}

function labelPlaces(
  radius: number,
): Readonly<Record<LabelSide, { readonly x: number; readonly y: number; readonly 'text-anchor': 'start' | 'middle' | 'end' }>> {
  return {
    below: { x: 0, y: radius + 13, 'text-anchor': 'middle' },
    above: { x: 0, y: -radius - 6, 'text-anchor': 'middle' },
    right: { x: radius + 4, y: 4, 'text-anchor': 'start' },
    left: { x: -radius - 4, y: 4, 'text-anchor': 'end' },
  };
}

function stateTone(site: SiteRow): string {
  if (site.state === 'silent') return 'none';
  const tones = [successTone(site.inbound.successRatio), successTone(site.outbound.successRatio)];
  return tones.includes('poor') ? 'poor' : tones.includes('fair') ? 'fair' : 'good';
}

/** What a site does, in a few words. */
function loadText({ state, inbound, outbound }: SiteRow): string {
  if (state === 'silent') return 'tells nothing';
  const serves = inbound.perSecond > 0 ? `serves ${roughNumber(inbound.perSecond)}` : '';
  const sends = outbound.perSecond > 0 ? `sends ${roughNumber(outbound.perSecond)}` : '';
  if (serves === '' && sends === '') return 'idle';
  return serves !== '' && sends !== '' ? `${serves} · ${sends}` : `${serves}${sends} rps`;
}

function nodeText(site: SiteRow, warnings: number): string {
  const relation = { self: 'the observer’s site', direct: 'linked to the observer’s site', indirect: 'reached through others' }[
    site.relation
  ];
  const success = site.inbound.successRatio === null ? '' : `, success ${percentText(site.inbound.successRatio)}`;
  const warned = warnings === 0 ? '' : `, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  return `${visibleName(site.name)}, ${relation}, cost ${site.cost}, ${loadText(site)}${success}${warned}`;
}
