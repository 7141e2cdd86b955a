import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { visibleName } from '../format/visible-name.ts';
import { CliCommand } from './cli-command.tsx';
import { Icon } from './icon.tsx';

interface DetailPanelProperties {
  readonly kind: string;
  readonly title: string;
  readonly command?: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** What is known about what was selected, beside it. Escape closes it. */
export function DetailPanel({ kind, title, command, onClose, children }: DetailPanelProperties): JSX.Element {
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented && document.querySelector('dialog[open]') === null) close.current();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
  return (
    <aside class="detail" aria-label={`${kind} ${visibleName(title)}`}>
      <header class="detail-head">
        <div>
          <p class="detail-kind">{kind}</p>
          <h2 title={visibleName(title)}>
            <bdi>{visibleName(title)}</bdi>
          </h2>
        </div>
        <button type="button" class="icon-button" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="detail-body">
        {children}
        {command === undefined ? null : <CliCommand command={command} />}
      </div>
    </aside>
  );
}
