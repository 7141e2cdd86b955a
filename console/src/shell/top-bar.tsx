import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from '../parts/icon.tsx';
import type { Theme } from '../state/console-state.ts';
import { isFoundSite } from '../model/table-order.ts';
import type { Console } from '../state/console.ts';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { LiveState } from './live-state.tsx';
import { pageEntries } from './pages-table.ts';

const nextTheme: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const themeIcons: Readonly<Record<Theme, IconName>> = { system: 'system', light: 'sun', dark: 'moon' };

export function TopBar(): JSX.Element {
  const owner = useConsole();
  const page = useConsoleState(({ route }) => route.page);
  const theme = useConsoleState((state) => state.theme);
  const title = pageEntries.find(({ name }) => name === page)?.title ?? '';
  useEffect(() => {
    document.title = `${title} · Caravan`;
  }, [title]);
  return (
    <header class="top">
      <h1>{title}</h1>
      <SearchBox />
      <LiveState />
      <button
        type="button"
        class="icon-button"
        title={`Theme: ${theme}`}
        aria-label={`Theme: ${theme}. Change to ${nextTheme[theme]}`}
        onClick={() => owner.setTheme(nextTheme[theme])}
      >
        <Icon name={themeIcons[theme]} />
      </button>
      <button type="button" class="icon-button" title="Keys (?)" aria-label="Keys" onClick={() => owner.store.update({ helpOpen: true })}>
        <Icon name="help" />
      </button>
    </header>
  );
}

/** On the map the first site that is found is selected. */
function selectFirst(owner: Console): void {
  const { route, search, snapshot } = owner.store.state;
  if (route.page !== 'topology' || search.trim() === '') return;
  const site = snapshot?.sites.find((row) => isFoundSite(search, row));
  if (site !== undefined) owner.setParameters({ site: site.id, link: '', service: '' });
}

/** What is typed here filters the page, or stands out on the map. */
function SearchBox(): JSX.Element {
  const owner = useConsole();
  const search = useConsoleState((state) => state.search);
  const input = useRef<HTMLInputElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') selectFirst(owner);
    if (event.key !== 'Escape') return;
    event.preventDefault();
    if (search === '') input.current?.blur();
    else owner.store.update({ search: '' });
  };
  return (
    <label class="search">
      <Icon name="search" size={14} />
      <span class="unseen">Search this page</span>
      <input
        ref={input}
        id="search"
        type="search"
        placeholder="Search"
        autocomplete="off"
        spellcheck={false}
        value={search}
        onKeyDown={onKeyDown}
        onInput={({ currentTarget }) => owner.store.update({ search: currentTarget.value })}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}
