import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { nextWindowMs } from '../model/time-window.ts';
import { Icon } from '../parts/icon.tsx';
import { pageLink, parseRoute } from '../state/route.ts';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { pageEntries } from './pages-table.ts';

/** After `g` the letter of a page must come within this time. */
const goLimitMs = 1200;

const keys: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['?', 'these keys'],
  ['Esc', 'close, clear the search'],
  ['↑ ↓', 'from row to row; Enter opens'],
  ['← ↑ → ↓', 'on the map: from site to site; Enter selects'],
  ['⇧ + arrows', 'on the map: move it'],
  ['+ − 0', 'on the map: larger, smaller, all'],
  ['w', 'another time window for success, rate and latency'],
  ['p', 'live requests: pause'],
];

/** Keys that work everywhere, and the dialog that lists them. */
export function Keys(): JSX.Element {
  const owner = useConsole();
  const isOpen = useConsoleState(({ helpOpen }) => helpOpen);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  useEffect(() => {
    let goUntilMs = 0;
    const onKeyDown = (event: KeyboardEvent): void => {
      const { target, key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || owner.store.state.helpOpen) return;
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return;
      const page = Date.now() < goUntilMs ? pageEntries.find(({ letter }) => letter === key) : undefined;
      goUntilMs = key === 'g' ? Date.now() + goLimitMs : 0;
      if (page !== undefined) owner.go(parseRoute(pageLink(page.name)));
      else if (key === '/') document.querySelector<HTMLInputElement>('#search')?.focus();
      else if (key === '?') owner.store.update({ helpOpen: true });
      else if (key === 'w') owner.setWindow(nextWindowMs(owner.store.state.windowMs));
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    addEventListener('keydown', onKeyDown, { capture: true });
    return () => removeEventListener('keydown', onKeyDown, { capture: true });
  }, [owner]);
  const close = (): void => owner.store.update({ helpOpen: false });
  return (
    <dialog
      ref={dialog}
      class="keys"
      aria-label="Keys"
      onClose={close}
      onClick={(event) => (event.target === dialog.current ? close() : undefined)}
    >
      <header>
        <h2>Keys</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <dl>
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
        {pageEntries.map(({ letter, title }) => (
          <div key={letter}>
            <dt>
              <kbd>g</kbd> <kbd>{letter}</kbd>
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
