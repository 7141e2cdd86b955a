import type { JSX } from 'preact';
import { shareText } from '../format/number-text.ts';

/** A part of a whole as a bar with its number. */
export function ShareBar({ share }: { readonly share: number | null }): JSX.Element {
  return (
    <span class="share">
      <span class="share-track" aria-hidden="true">
        <span class="share-fill" style={{ width: `${Math.max(0, Math.min(1, share ?? 0)) * 100}%` }} />
      </span>
      <span class="share-text">{shareText(share)}</span>
    </span>
  );
}

/** The parts of all servers in one bar. */
export function SplitBar({
  shares,
}: {
  readonly shares: readonly { readonly label: string; readonly share: number | null }[];
}): JSX.Element {
  const text = shares.map(({ label, share }) => `${label} ${shareText(share)}`).join(', ');
  return (
    <span class="split" role="img" aria-label={text} title={text}>
      {shares.map(({ label, share }, index) => (
        <span key={`${index} ${label}`} class={`split-part part-${index % 5}`} style={{ width: `${(share ?? 0) * 100}%` }} />
      ))}
    </span>
  );
}
