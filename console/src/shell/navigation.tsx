import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { countText } from '../format/number-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { Icon } from '../parts/icon.tsx';
import { Name } from '../parts/name.tsx';
import { pageLink } from '../state/route.ts';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { Brand } from './brand.tsx';
import { pageEntries } from './pages-table.ts';

/** The way between the pages; folded behind a button where the page is narrow. */
export function Navigation(): JSX.Element {
  const owner = useConsole();
  const page = useConsoleState(({ route }) => route.page);
  const warnings = useConsoleState(({ snapshot }) => snapshot?.warnings.length ?? 0);
  const hasErrors = useConsoleState(({ snapshot }) => snapshot?.warnings.some(({ severity }) => severity === 'error') ?? false);
  const networkId = useConsoleState(({ snapshot }) => snapshot?.networkId ?? null);
  const self = useConsoleState(({ snapshot }) => snapshot?.sites.find(({ relation }) => relation === 'self')?.name ?? null);
  const user = useConsoleState(({ session }) => (session.state === 'in' ? session.user : ''));
  const [isOpen, setOpen] = useState(false);
  return (
    <div class={`side ${isOpen ? 'is-open' : ''}`}>
      <div class="side-head">
        <button
          type="button"
          class="icon-button menu-button"
          aria-expanded={isOpen}
          aria-controls="navigation"
          aria-label="Menu"
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name={isOpen ? 'close' : 'menu'} size={18} />
        </button>
        <a href={pageLink('topology')} class="brand-link" aria-label="Caravan, topology">
          <Brand />
        </a>
      </div>
      <nav id="navigation" aria-label="Pages">
        {pageEntries.map(({ name, title, icon, letter }) => (
          <a
            key={name}
            href={pageLink(name)}
            aria-current={name === page ? 'page' : undefined}
            title={`${title} (g ${letter})`}
            onClick={() => setOpen(false)}
          >
            <Icon name={icon} />
            <span>{title}</span>
            {name === 'warnings' && warnings > 0 ? <span class={`badge ${hasErrors ? 'is-error' : ''}`}>{countText(warnings)}</span> : null}
          </a>
        ))}
      </nav>
      <div class="side-foot">
        <p title={networkId === null ? undefined : visibleName(networkId)}>
          <span class="side-label">Network</span>
          <Name text={networkId ?? 'none'} mono />
        </p>
        <p>
          <span class="side-label">Seen from</span>
          <Name text={self} />
        </p>
        <button type="button" class="leave" onClick={() => void owner.logout()}>
          <Icon name="leave" size={14} />
          <span>Log out</span>
          <span class="leave-user">
            <Name text={user} />
          </span>
        </button>
      </div>
    </div>
  );
}
