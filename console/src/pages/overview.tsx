import type { JSX } from 'preact';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { matchesSearch } from '../model/table-order.ts';
import { CliCommand } from '../parts/cli-command.tsx';
import { Success } from '../parts/golden-columns.tsx';
import { Name } from '../parts/name.tsx';
import { pageLink } from '../state/route.ts';
import { useConsoleState } from '../state/use-console.ts';
import { WarningCard } from './warning-card.tsx';

const shownWarnings = 3;
const shownServices = 40;

/** Beside the map while nothing is selected: what needs attention, and the services in short. */
export function Overview({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const { warnings, services } = snapshot;
  const search = useConsoleState((state) => state.search);
  const matching = services.filter(({ address }) => matchesSearch(search, [address]));
  const found = matching.length === 0 ? services : matching;
  return (
    <aside class="detail overview" aria-label="Overview">
      {warnings.length === 0 ? null : (
        <section>
          <h2>
            Needs attention
            {warnings.length > shownWarnings ? <a href={pageLink('warnings')}>all {warnings.length}</a> : null}
          </h2>
          {warnings.slice(0, shownWarnings).map((warning) => (
            <WarningCard key={`${warning.code} ${warning.siteName} ${warning.text}`} warning={warning} isShort />
          ))}
        </section>
      )}
      <section>
        <h2>
          Services
          {found.length > shownServices ? <a href={pageLink('services')}>all {services.length}</a> : null}
        </h2>
        {services.length === 0 ? <p class="hint">No service has a listener or connector yet.</p> : null}
        {services.length === 0 ? <CliCommand command="van expose 8080 --name web" /> : null}
        {services.length === 0 ? null : (
          <p class="service-figures service-head" aria-hidden="true">
            <span />
            <span>Success</span>
            <span>RPS</span>
            <span>P95</span>
          </p>
        )}
        <ul class="service-list">
          {found.slice(0, shownServices).map(({ address, golden }) => (
            <li key={address}>
              <a href={pageLink('services', { open: address })} class="service-figures" data-service={address}>
                <Name text={address} />
                <Success ratio={golden.successRatio} />
                <span>{shortNumber(golden.perSecond)}</span>
                <span>{durationText(golden.p95Ms)}</span>
              </a>
            </li>
          ))}
        </ul>
      </section>
    </aside>
  );
}
