import type { JSX } from 'preact';

const shapes = {
  topology:
    'M4.5 12.5 8 4.5l4 7M4.5 12.5h7M3 14a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM8 5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM13 14a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  services: 'M2.5 3.5h11v3.5h-11zM2.5 9h11v3.5h-11zM5 5.25h.01M5 10.75h.01',
  live: 'M1.5 8h3l2-5 3 10 2-5h3',
  requests: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  sites: 'M8 14s4.5-4 4.5-7.5a4.5 4.5 0 1 0-9 0C3.5 10 8 14 8 14ZM8 8a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  links: 'M6.5 9.5l3-3M7 5l1.5-1.5a2.5 2.5 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.5 2.5 0 0 1-4-4L5 7',
  warnings: 'M8 2.5 14 13H2L8 2.5ZM8 6.5v3M8 11.25h.01',
  access: 'M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
  lock: 'M4 7.5h8V13H4zM5.75 7.5V5.25a2.25 2.25 0 0 1 4.5 0V7.5',
  unlocked: 'M4 7.5h8V13H4zM5.75 7.5V5.25a2.25 2.25 0 0 1 4.3-.9',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  done: 'm3 8.5 3.5 3.5L13 4.5',
  close: 'm4 4 8 8M12 4l-8 8',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5 14 14',
  right: 'm6 4 4 4-4 4',
  down: 'm4 6 4 4 4-4',
  up: 'm4 10 4-4 4 4',
  arrow: 'M2.5 8h11M9.5 4l4 4-4 4',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5v9l7-4.5z',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  arrange: 'M8 2v3M8 11v3M2 8h3M11 8h3M8 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  sun: 'M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z',
  system: 'M2.5 3.5h11v7h-11zM6 13.5h4M8 10.5v3',
  help: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.25 6.25a1.75 1.75 0 1 1 2.4 1.6c-.4.2-.65.5-.65 1M8 11.25h.01',
  leave: 'M6.5 2.5h-4v11h4M6.5 8h7M10.5 5l3 3-3 3',
} as const;

export type IconName = keyof typeof shapes;

/** An icon beside words that say the same, so it is silent for screen readers. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
