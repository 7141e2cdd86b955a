import type { JSX } from 'preact';
import type { WarningRow } from '../../../src/flows/network-snapshot.ts';
import { visibleName } from '../format/visible-name.ts';
import { CliCommand } from '../parts/cli-command.tsx';
import { Icon } from '../parts/icon.tsx';

/** What is wrong, where, and the command that mends it. */
export function WarningCard({ warning, isShort = false }: { readonly warning: WarningRow; readonly isShort?: boolean }): JSX.Element {
  const { code, severity, title, text, remedy, siteName } = warning;
  const isCommand = remedy !== null && /^(?:van|\.\/van|sudo|systemctl|timedatectl)\b/.test(remedy) && !remedy.includes('\n');
  return (
    <article class={`warning is-${severity}`} data-code={code}>
      <header>
        <Icon name="warnings" size={14} />
        <h3>{visibleName(title)}</h3>
      </header>
      <p>
        <span class="warning-site">{visibleName(siteName)}</span> {visibleName(text)}
      </p>
      {remedy === null ? null : isCommand ? <CliCommand command={remedy} asIs /> : <p class="remedy">{visibleName(remedy)}</p>}
      {isShort ? null : (
        <footer>
          <span class="severity">{severity}</span>
          <code>{visibleName(code)}</code>
        </footer>
      )}
    </article>
  );
}
