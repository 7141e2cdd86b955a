import type { JSX } from 'preact';
import type { LinkRow, NetworkSnapshot, SiteRow } from '../../../src/flows/network-snapshot.ts';
import { shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { commandLine } from '../format/command-line.ts';
import { cheapestPath } from '../model/cheapest-path.ts';
import { hasTraffic } from '../model/golden.ts';
import { patternsText } from '../model/patterns.ts';
import { DetailPanel } from '../parts/detail-panel.tsx';
import { Facts } from '../parts/facts.tsx';
import { Success } from '../parts/golden-columns.tsx';
import { GoldenStrip } from '../parts/golden-strip.tsx';
import { Name } from '../parts/name.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Until } from '../parts/until.tsx';
import { useWindowOption } from '../parts/window-choice.tsx';
import { pageLink } from '../state/route.ts';
import { WarningCard } from './warning-card.tsx';

interface SiteDetailProperties {
  readonly site: SiteRow;
  readonly snapshot: NetworkSnapshot;
  readonly onClose: () => void;
}

export function SiteDetail({ site, snapshot, onClose }: SiteDetailProperties): JSX.Element {
  const nowMs = snapshot.atMs;
  const { id, name, state } = site;
  const own = snapshot.links.filter(({ from, to }) => from === id || to === id);
  const warnings = snapshot.warnings.filter(({ siteName }) => siteName === name);
  return (
    <DetailPanel kind="Site" title={name} command={commandLine(['van', 'stat', 'sites', name], useWindowOption())} onClose={onClose}>
      {warnings.map((warning) => (
        <WarningCard key={`${warning.code} ${warning.text}`} warning={warning} isShort />
      ))}
      <Facts
        rows={[
          [
            'State',
            <StateMark key="state" tone={state === 'up' ? 'good' : 'none'} text={state === 'up' ? 'up' : 'silent: it tells no records'} />,
          ],
          ['Reached', <Reached key="reached" site={site} snapshot={snapshot} />],
          ['Router', <Name key="router" text={id} mono />],
          [
            'Platform',
            [site.platform, site.version]
              .filter((fact) => fact !== null)
              .map(visibleName)
              .join(' '),
          ],
          ['Location', site.location === null ? null : <Name key="location" text={site.location} />],
          ['Namespace', site.namespace === null ? null : <Name key="namespace" text={site.namespace} />],
          ['Trust', visibleName(site.trust)],
          ['Certificate', site.certificateEndsMs === null ? null : <Until key="certificate" atMs={site.certificateEndsMs} nowMs={nowMs} />],
          [
            'Membership',
            site.membershipEndsMs === null ? null : (
              <Until key="membership" atMs={site.membershipEndsMs} nowMs={nowMs} soonMs={7 * 86_400_000} />
            ),
          ],
          ['May offer', patternsText(site.advertise)],
          ['May use', patternsText(site.consume)],
        ]}
      />
      {hasTraffic(site.outbound) ? <h3>Its clients</h3> : null}
      {hasTraffic(site.outbound) ? <GoldenStrip golden={site.outbound} /> : null}
      {hasTraffic(site.inbound) ? <h3>Its servers</h3> : null}
      {hasTraffic(site.inbound) ? <GoldenStrip golden={site.inbound} /> : null}
      <Talks title="Uses" id={id} snapshot={snapshot} side="source" />
      <Talks title="Serves" id={id} snapshot={snapshot} side="dest" />
      <h3>Links</h3>
      {own.length === 0 ? <p class="hint">No link is known.</p> : null}
      <ul class="plain-list">
        {own.map((link) => (
          <li key={link.id}>
            <LinkLine link={link} id={id} />
          </li>
        ))}
      </ul>
    </DetailPanel>
  );
}

function LinkLine({ link, id }: { readonly link: LinkRow; readonly id: string }): JSX.Element {
  const isFrom = link.from === id;
  return (
    <a href={pageLink('topology', { link: link.id })} class="line-link">
      <StateMark tone={link.state === 'up' ? 'good' : 'poor'} text="" />
      <span class="line-main">
        {link.directionKnown ? (isFrom ? 'to ' : 'from ') : 'with '}
        <Name text={isFrom ? link.toName : link.fromName} />
      </span>
      <span class="line-note">
        cost {link.cost}
        {link.state === 'down' ? ', down' : link.roundTripMs === null ? '' : `, ${durationText(link.roundTripMs)}`}
      </span>
    </a>
  );
}

function Reached({ site, snapshot }: { readonly site: SiteRow; readonly snapshot: NetworkSnapshot }): JSX.Element {
  const self = snapshot.sites.find(({ relation }) => relation === 'self');
  if (site.relation === 'self' || self === undefined) return <>the observer’s own site</>;
  const path = cheapestPath(snapshot.links, self.id, site.id);
  const names = (path?.sites ?? []).map((id) => visibleName(snapshot.sites.find((row) => row.id === id)?.name ?? id));
  const how =
    site.relation === 'direct'
      ? 'directly'
      : names.length > 2
        ? names.slice(1, -1).join(' → ')
        : visibleName(site.nextHop ?? 'through others');
  return (
    <>
      {site.relation === 'direct' ? how : `through ${how}`}, cost {site.cost}
      {path?.roundTripMs === null || path === null ? '' : `, ${durationText(path.roundTripMs)} round trip`}
    </>
  );
}

interface TalksProperties {
  readonly title: string;
  readonly id: string;
  readonly snapshot: NetworkSnapshot;
  readonly side: 'source' | 'dest';
}

/** Services that the site's clients use, or that its servers serve. */
function Talks({ title, id, snapshot, side }: TalksProperties): JSX.Element | null {
  const edges = snapshot.edges.filter(({ sourceId, destId }) => (side === 'source' ? sourceId : destId) === id);
  if (edges.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="plain-list">
        {edges.map((edge) => (
          <li key={`${edge.address} ${edge.sourceId} ${edge.destId} ${edge.protocol}`}>
            <a href={pageLink('services', { open: edge.address })} class="line-link">
              <span class="line-main">
                <Name text={edge.address} />
                <span class="line-side">
                  {side === 'source' ? 'at ' : 'for '}
                  <Name text={side === 'source' ? edge.destName : edge.sourceName} />
                </span>
              </span>
              <span class="line-note">
                <Success ratio={edge.golden.successRatio} /> {shortNumber(edge.golden.perSecond)} rps
              </span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
