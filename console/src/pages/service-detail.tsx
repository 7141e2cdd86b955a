import type { JSX } from 'preact';
import type { ServiceRow } from '../../../src/flows/network-snapshot.ts';
import { shortNumber } from '../format/number-text.ts';
import { commandLine } from '../format/command-line.ts';
import { visibleName } from '../format/visible-name.ts';
import { DetailPanel } from '../parts/detail-panel.tsx';
import { Facts } from '../parts/facts.tsx';
import { GoldenStrip } from '../parts/golden-strip.tsx';
import { RateSparkline } from '../parts/history.tsx';
import { Name } from '../parts/name.tsx';
import { ShareBar } from '../parts/share-bar.tsx';
import { SiteLink } from '../parts/site-link.tsx';
import { useWindowOption } from '../parts/window-choice.tsx';
import { pageLink } from '../state/route.ts';

/** A service in short, beside the map. */
export function ServiceDetail({ service, onClose }: { readonly service: ServiceRow; readonly onClose: () => void }): JSX.Element {
  const { address, protocols, distribution, golden, servers, listeners } = service;
  return (
    <DetailPanel
      kind="Service"
      title={address}
      command={commandLine(['van', 'stat', 'services', address], useWindowOption())}
      onClose={onClose}
    >
      <GoldenStrip golden={golden} />
      <Facts
        rows={[
          ['Protocol', protocols.map(visibleName).join(', ')],
          ['Distribution', visibleName(distribution)],
          ['Last 15 min', <RateSparkline key="history" of={{ service: address }} />],
        ]}
      />
      <h3>Servers</h3>
      <ul class="plain-list">
        {servers.map((server) => (
          <li key={`${server.siteId} ${server.connector} ${server.host} ${server.port}`} class="server-line">
            <span class="line-main">
              <SiteLink id={server.siteId} name={server.siteName} />
              <span class="line-side">
                <Name text={server.connector} />
              </span>
            </span>
            <ShareBar share={server.share} />
          </li>
        ))}
      </ul>
      <h3>Listeners</h3>
      <ul class="plain-list">
        {listeners.map((listener) => (
          <li key={`${listener.siteId} ${listener.name}`} class="server-line">
            <span class="line-main">
              <SiteLink id={listener.siteId} name={listener.siteName} />
              <span class="line-side">
                <Name text={`${listener.host}:${listener.port}`} mono />
              </span>
            </span>
            <span class="line-note">{shortNumber(listener.golden.perSecond)} rps</span>
          </li>
        ))}
      </ul>
      <p>
        <a href={pageLink('services', { open: address })}>All of the service</a> ·{' '}
        <a href={pageLink('live', { service: address })}>Its live requests</a>
      </p>
    </DetailPanel>
  );
}
