import type { JSX } from 'preact';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { AccessPage } from '../pages/access.tsx';
import { LinksPage } from '../pages/links.tsx';
import { LivePage } from '../pages/live.tsx';
import { RequestsPage } from '../pages/requests.tsx';
import { ServicesPage } from '../pages/services.tsx';
import { SitesPage } from '../pages/sites.tsx';
import { TopologyPage } from '../pages/topology.tsx';
import { WarningsPage } from '../pages/warnings.tsx';
import { Loading } from '../parts/panel.tsx';
import type { PageName } from '../state/route.ts';
import { useConsoleState } from '../state/use-console.ts';
import { Keys } from './keys.tsx';
import { StaleNotice } from './live-state.tsx';
import { Navigation } from './navigation.tsx';
import { TopBar } from './top-bar.tsx';

const pages: Readonly<Record<PageName, (properties: { readonly snapshot: NetworkSnapshot }) => JSX.Element>> = {
  topology: TopologyPage,
  services: ServicesPage,
  live: LivePage,
  requests: RequestsPage,
  sites: SitesPage,
  links: LinksPage,
  warnings: WarningsPage,
  access: AccessPage,
};

/** What stands around every page. */
export function Shell(): JSX.Element {
  const page = useConsoleState(({ route }) => route.page);
  const snapshot = useConsoleState((state) => state.snapshot);
  const stream = useConsoleState((state) => state.stream);
  const Page = pages[page];
  const skip = (event: Event): void => {
    event.preventDefault();
    document.querySelector<HTMLElement>('#main')?.focus();
  };
  return (
    <div class={`shell ${stream === 'lost' ? 'is-stale' : ''}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the page
      </a>
      <Navigation />
      <div class="body">
        <TopBar />
        <StaleNotice />
        <main id="main" tabIndex={-1} data-page={page}>
          {snapshot === null ? <Loading what="the network" /> : <Page snapshot={snapshot} />}
        </main>
      </div>
      <Keys />
    </div>
  );
}
