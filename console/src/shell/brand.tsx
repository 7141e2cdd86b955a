import type { JSX } from 'preact';

export function Brand(): JSX.Element {
  return (
    <span class="brand">
      <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M5 21 12 10 20 19 27 8" />
        <circle cx="5" cy="21" r="3.4" />
        <circle cx="12" cy="10" r="2.8" />
        <circle cx="20" cy="19" r="2.8" />
        <circle cx="27" cy="8" r="3.4" />
      </svg>
      Caravan
    </span>
  );
}
