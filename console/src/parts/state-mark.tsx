import type { JSX } from 'preact';

export type MarkTone = 'good' | 'fair' | 'poor' | 'none';

/** A dot with a word: the colour never stands alone. */
export function StateMark({ tone, text }: { readonly tone: MarkTone; readonly text: string }): JSX.Element {
  return (
    <span class={`state-mark tone-${tone}`}>
      <span class="state-dot" aria-hidden="true" />
      {text}
    </span>
  );
}
