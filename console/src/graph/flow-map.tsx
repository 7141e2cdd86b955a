import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { EdgeRow } from '../../../src/flows/network-snapshot.ts';
import { percentText, roughNumber, shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { shortName, visibleName } from '../format/visible-name.ts';
import { flowPicture, type FlowBand, type FlowNode } from '../layout/flow-columns.ts';
import { successTone } from '../model/golden.ts';
import { ClippedText } from './clipped-text.tsx';
import { useSize } from '../parts/use-size.ts';

interface FlowMapProperties {
  readonly edges: readonly EdgeRow[];
  readonly selectedSite: string | null;
  readonly selectedService: string | null;
  readonly onSite: (id: string | null) => void;
  readonly onService: (address: string | null) => void;
}

/** Lines of a band that stands for many edges. */
const titleLimit = 8;
/** On narrower pages the picture is moved sideways. */
const smallestWidth = 330;
/** Lower nodes have name and rate on one line. */
const twoLinesHeight = 36;
/** Of a bold name; a little more than most fonts need. */
const nameLetterWidth = 8.2;
/** Higher nodes have them at the top, where they are seen first. */
const tallHeight = 160;

/** Who talks to whom: sites of clients, services, sites of servers. Bands are as wide as the rate and have the colour of the success. */
export function FlowMap({ edges, selectedSite, selectedService, onSite, onService }: FlowMapProperties): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const size = useSize(frame);
  const [pointed, setPointed] = useState<string | null>(null);
  const picture = size === null ? null : flowPicture(edges, { width: Math.max(smallestWidth, size.width), height: size.height });
  const chosen = (node: FlowNode): boolean =>
    node.id !== null && (node.kind === 'service' ? node.id === selectedService : node.id === selectedSite);
  const lit = picture?.nodes.find(({ key }) => key === pointed) ?? picture?.nodes.find(chosen);
  const isLit = ({ clientKey, serviceKey, serverKey }: FlowBand): boolean =>
    lit === undefined || [clientKey, serviceKey, serverKey].includes(lit.key);
  const select = ({ kind, id }: FlowNode): void => {
    if (id === null) return;
    if (kind === 'service') onService(id === selectedService ? null : id);
    else onSite(id === selectedSite ? null : id);
  };
  return (
    <div class="map flow-map" ref={frame} data-map="services">
      {picture === null || size === null ? null : (
        <svg
          class="flow-canvas"
          width={Math.max(smallestWidth, size.width)}
          height={Math.max(picture.height, 120)}
          role="group"
          data-bands={picture.bands.length > 60 ? 'many' : 'few'}
          aria-label={`Who talks to whom: ${edges.length} edges. The same as a table is below.`}
        >
          <g class="flow-heads" aria-hidden="true">
            {(['client', 'service', 'server'] as const).map((kind) => {
              const node = picture.nodes.find((row) => row.kind === kind);
              return node === undefined ? null : (
                <text key={kind} x={node.x} y="18">
                  {{ client: 'Clients at', service: 'Service', server: 'Servers at' }[kind]}
                </text>
              );
            })}
          </g>
          {picture.bands.map((band) => (
            <Band key={band.key} band={band} isLit={isLit(band)} />
          ))}
          {picture.nodes.map((node) => (
            <Node key={node.key} node={node} isSelected={chosen(node)} onSelect={() => select(node)} onPoint={setPointed} />
          ))}
        </svg>
      )}
    </div>
  );
}

function Band({ band, isLit }: { readonly band: FlowBand; readonly isLit: boolean }): JSX.Element | null {
  const { edges, total, width, intoService, outOfService, sign } = band;
  const [edge] = edges;
  if (edge === undefined) return null;
  const secured = edges.every((row) => row.secured !== 'partly') ? 'mutual-tls' : 'partly';
  return (
    <g
      class={`band tone-${successTone(total.successRatio)} ${isLit ? '' : 'is-dimmed'}`}
      data-edge={`${edge.sourceName} ${edge.address} ${edge.destName}`}
    >
      <title>{edges.slice(0, titleLimit).map(bandText).join('\n')}</title>
      <path d={intoService} stroke-width={width} />
      <path d={outOfService} stroke-width={width} />
      {sign === null ? null : <SecuredSign secured={secured} x={sign.x} y={sign.y} />}
    </g>
  );
}

/** A lock where all links of the way have certificates at both ends. */
function SecuredSign({ secured, x, y }: { readonly secured: EdgeRow['secured']; readonly x: number; readonly y: number }): JSX.Element {
  return (
    <g class={`secured is-${secured}`} transform={`translate(${x - 8} ${y - 8})`}>
      <circle cx="8" cy="8" r="8.5" />
      <path d="M4.8 7.4h6.4v4.4H4.8z" />
      <path class="shackle" d={secured === 'mutual-tls' ? 'M6 7.4V5.8a2 2 0 0 1 4 0v1.6' : 'M6 7.4V5.8a2 2 0 0 1 3.8-.9'} />
    </g>
  );
}

interface NodeProperties {
  readonly node: FlowNode;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
  readonly onPoint: (key: string | null) => void;
}

function Node({ node, isSelected, onSelect, onPoint }: NodeProperties): JSX.Element {
  const { key, kind, id, name, perSecond, x, y, width, height } = node;
  const isLow = height < twoLinesHeight;
  const room = width - (isLow ? 52 : 16);
  const middle = height > tallHeight ? 25 : height / 2;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onSelect();
  };
  return (
    <g
      class={`flow-node is-${kind} ${isSelected ? 'is-selected' : ''}`}
      transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}
      role="button"
      tabindex={id === null ? -1 : 0}
      aria-pressed={isSelected}
      aria-label={`${{ client: 'Clients at', service: 'Service', server: 'Servers at' }[kind]} ${visibleName(name)}, ${shortNumber(perSecond)} a second`}
      data-node={key}
      onClick={onSelect}
      onKeyDown={onKeyDown}
      onPointerEnter={() => onPoint(key)}
      onPointerLeave={() => onPoint(null)}
    >
      <title>{visibleName(name)}</title>
      <rect width={width} height={height} rx="7" />
      <ClippedText x={10} y={isLow ? middle + 4 : middle - 3} width={room}>
        {shortName(name, Math.floor(room / nameLetterWidth))}
      </ClippedText>
      {isLow ? (
        <text class="node-rate" x={width - 8} y={middle + 4} text-anchor="end">
          {roughNumber(perSecond)}
        </text>
      ) : (
        <text class="node-rate" x="10" y={middle + 13}>
          {shortNumber(perSecond)} rps
        </text>
      )}
    </g>
  );
}

function bandText({ sourceName, destName, address, protocol, secured, golden }: EdgeRow): string {
  const way = { 'mutual-tls': 'mutual TLS', partly: 'partly without mutual TLS', local: 'within the site' }[secured];
  return visibleName(
    `${sourceName} → ${address} → ${destName}: ${protocol}, ${shortNumber(golden.perSecond)} rps, success ${percentText(golden.successRatio)}, P95 ${durationText(golden.p95Ms)}, ${way}`,
  );
}
