import type { JSX } from 'preact';

/** What the lines and shapes mean. */
export function MapLegend({ shape }: { readonly shape: 'cards' | 'dots' }): JSX.Element {
  return (
    <ul class="map-legend" aria-label="Legend">
      <li>
        <svg width="26" height="10" aria-hidden="true">
          <path class="link-line" d="M1 5h18" stroke-width="1.5" />
          <path class="link-arrow" d="M25 5l-8 4V1z" />
        </svg>
        dialled
      </li>
      <li>
        <svg width="26" height="10" aria-hidden="true">
          {shape === 'cards' ? (
            <path class="lane" d="M1 5h24" stroke-width="2.5" />
          ) : (
            <path class="link-line" d="M1 5h24" stroke-width="4" />
          )}
        </svg>
        traffic
      </li>
      <li>
        <svg width="14" height="10" aria-hidden="true">
          <rect class="node-card indirect" x="1" y="1" width="12" height="8" rx="2.5" />
        </svg>
        reached through others
      </li>
      <li>
        <svg width="22" height="10" aria-hidden="true">
          <path class="link-line down" d="M1 5h20" stroke-width="1.5" />
        </svg>
        down
      </li>
      <li>
        <svg width="8" height="8" aria-hidden="true">
          <circle class="node-state tone-good" cx="4" cy="4" r="3.5" />
        </svg>
        success from 99.9 %
      </li>
      <li>
        <svg width="8" height="8" aria-hidden="true">
          <circle class="node-state tone-fair" cx="4" cy="4" r="3.5" />
        </svg>
        from 95 %
      </li>
      <li>
        <svg width="8" height="8" aria-hidden="true">
          <circle class="node-state tone-poor" cx="4" cy="4" r="3.5" />
        </svg>
        below
      </li>
    </ul>
  );
}
