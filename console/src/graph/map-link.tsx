import type { JSX } from 'preact';
import { visibleName } from '../format/visible-name.ts';
import { between, movedAside, type Point } from '../layout/geometry.ts';
import { flowSpeed, linkLabelText, linkWidth, trafficText, type SceneLink } from '../layout/map-scene.ts';

interface MapLinkProperties {
  readonly scene: SceneLink;
  readonly isDetailed: boolean;
  readonly hasArrow: boolean;
  readonly isSelected: boolean;
  /** On the path to the selected site. */
  readonly isOnPath: boolean;
  readonly isDimmed: boolean;
  readonly onSelect: (id: string) => void;
}

const laneDistance = 2.8;
/** Lanes keep away from the arrow. */
const laneMargin = 11;
const lossyRatio = 0.01;

/** A link on the map: a line as wide as what it carries, an arrow the way it was dialled, and the traffic of both ways. */
export function MapLink({ scene, isDetailed, hasArrow, isSelected, isOnPath, isDimmed, onSelect }: MapLinkProperties): JSX.Element {
  const { link, from, to, width } = scene;
  const classes = [
    'link',
    `is-${link.state}`,
    ...((link.lossRatio ?? 0) > lossyRatio ? ['is-lossy'] : []),
    ...(isSelected ? ['is-selected'] : []),
    ...(isOnPath ? ['is-on-path'] : []),
    ...(isDimmed ? ['is-dimmed'] : []),
  ];
  return (
    <g class={classes.join(' ')} data-link={link.id} onClick={() => onSelect(link.id)}>
      <title>{titleOf(scene)}</title>
      <line class="link-target" {...ends(from, to)} />
      <line class="link-line" {...ends(from, to)} stroke-width={isDetailed ? 1.5 : Math.max(1, width * 0.7)} />
      {isDetailed && link.state === 'up' ? (
        <>
          <Lane from={from} to={to} bytesPerSecond={link.bytesPerSecond} />
          <Lane from={to} to={from} bytesPerSecond={link.bytesReversePerSecond} />
        </>
      ) : null}
      {link.directionKnown && isDetailed ? <DialArrow from={from} to={to} /> : null}
      {link.directionKnown && !isDetailed && (hasArrow || isSelected || isOnPath) ? (
        <path class="link-arrow" transform={turnedAt(between(from, to, 0.5), from, to)} d="M3 0-3 3-3-3Z" />
      ) : null}
    </g>
  );
}

/** The label stands above all lines. */
export function MapLinkLabel({
  scene,
  isDimmed,
  onSelect,
}: {
  readonly scene: SceneLink;
  readonly isDimmed: boolean;
  readonly onSelect: (id: string) => void;
}): JSX.Element | null {
  const { link, label } = scene;
  if (label === null) return null;
  return (
    <g
      class={`link-label is-${link.state} ${isDimmed ? 'is-dimmed' : ''}`}
      transform={`translate(${label.at.x.toFixed(1)} ${label.at.y.toFixed(1)})`}
      onClick={() => onSelect(link.id)}
    >
      <rect x={-label.width / 2} y="-9" width={label.width} height="18" rx="9" />
      <text text-anchor="middle" y="3.5">
        {label.text}
      </text>
    </g>
  );
}

function Lane({
  from,
  to,
  bytesPerSecond,
}: {
  readonly from: Point;
  readonly to: Point;
  readonly bytesPerSecond: number;
}): JSX.Element | null {
  const speed = flowSpeed(bytesPerSecond);
  if (speed === 0) return null;
  const length = Math.max(1, Math.hypot(to.x - from.x, to.y - from.y));
  const end = Math.min(0.3, laneMargin / length);
  const [a, b] = movedAside(between(from, to, end), between(from, to, 1 - end), laneDistance);
  return <line class={`lane speed-${speed}`} {...ends(a, b)} stroke-width={Math.max(1.4, linkWidth(bytesPerSecond) * 0.75)} />;
}

/** At the end that was dialled. */
function DialArrow({ from, to }: { readonly from: Point; readonly to: Point }): JSX.Element {
  return <path class="link-arrow" transform={turnedAt(to, from, to)} d="M1 0-8 4.5-8-4.5Z" />;
}

function turnedAt(at: Point, from: Point, to: Point): string {
  const degrees = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
  return `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)}) rotate(${degrees.toFixed(1)})`;
}

function ends(a: Point, b: Point): { readonly x1: string; readonly y1: string; readonly x2: string; readonly y2: string } {
  return { x1: a.x.toFixed(1), y1: a.y.toFixed(1), x2: b.x.toFixed(1), y2: b.y.toFixed(1) };
}

function titleOf({ link }: SceneLink): string {
  const dialled = link.directionKnown ? `dialled by ${link.fromName}` : 'who dialled is not known';
  return visibleName(`${link.fromName} – ${link.toName}: ${linkLabelText(link)}, ${dialled}, ${trafficText(link).join(', ')}`);
}
