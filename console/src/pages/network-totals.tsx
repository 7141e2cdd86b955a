import type { JSX } from 'preact';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { byteRateText, countText, roughNumber, shortNumber } from '../format/number-text.ts';
import { totalOf } from '../model/golden.ts';
import { windowText } from '../model/time-window.ts';
import { Success } from '../parts/golden-columns.tsx';
import { pageLink, type PageName } from '../state/route.ts';

/** The whole network in one row of figures. */
export function NetworkTotals({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const { sites, links, services, warnings, droppedFlows, windowMs } = snapshot;
  const total = totalOf(services.map(({ golden }) => golden));
  const silent = sites.filter(({ state }) => state === 'silent').length;
  const unserved = services.filter(({ servers }) => servers.length === 0).length;
  const errors = warnings.filter(({ severity }) => severity === 'error').length;
  const down = links.filter(({ state }) => state === 'down').length;
  return (
    <div class="totals" role="group" aria-label={`The network in the last ${windowText(windowMs)}`}>
      <Total
        page="sites"
        name="Sites"
        value={countText(sites.length)}
        note={silent === 0 ? 'all up' : `${silent} silent`}
        isBad={silent > 0}
      />
      <Total page="links" name="Links" value={countText(links.length)} note={down === 0 ? 'all up' : `${down} down`} isBad={down > 0} />
      <Total
        page="services"
        name="Services"
        value={countText(services.length)}
        note={unserved === 0 ? 'all served' : `${countText(unserved)} unserved`}
      />
      <Total page="services" name="Success" value={<Success ratio={total.successRatio} />} note={`last ${windowText(windowMs)}`} />
      <Total page="live" name="Requests" value={shortNumber(total.perSecond)} note="a second" />
      <Total page="requests" name="Open" value={countText(total.open)} note="under way" />
      <Total
        page="links"
        name="Traffic"
        value={byteRateText(total.bytesPerSecond)}
        note={droppedFlows === 0 ? 'all recorded' : `${roughNumber(droppedFlows)} unrecorded`}
      />
      <Total
        page="warnings"
        name="Warnings"
        value={countText(warnings.length)}
        note={
          warnings.length === 0 ? 'all is well' : errors === 0 ? 'no error' : `${countText(errors)} ${errors === 1 ? 'error' : 'errors'}`
        }
        isBad={errors > 0}
      />
    </div>
  );
}

interface TotalProperties {
  readonly page: PageName;
  readonly name: string;
  readonly value: JSX.Element | string;
  readonly note: string;
  readonly isBad?: boolean;
}

function Total({ page, name, value, note, isBad = false }: TotalProperties): JSX.Element {
  return (
    <a class={`total ${isBad ? 'is-bad' : ''}`} href={pageLink(page)}>
      <span class="total-name">{name}</span>
      <span class="total-value">{value}</span>
      <span class="total-note">{note}</span>
    </a>
  );
}
