import type { JSX } from 'preact';
import { noValue } from '../format/number-text.ts';
import { visibleName } from '../format/visible-name.ts';

/** A name from the network: what is there and nothing else, cut where there is no room, whole in its title. */
export function Name({ text, mono = false }: { readonly text: string | null; readonly mono?: boolean }): JSX.Element {
  if (text === null || text === '') return <span class="none">{noValue}</span>;
  const shown = visibleName(text);
  return (
    <bdi class={mono ? 'name mono' : 'name'} title={shown}>
      {shown}
    </bdi>
  );
}
