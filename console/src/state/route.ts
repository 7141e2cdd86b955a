/** Where the reader is, as the fragment of the address has it: `#/services?open=web`. */
export interface Route {
  readonly page: PageName;
  readonly parameters: Readonly<Record<string, string>>;
}

export const pageNames = ['topology', 'services', 'live', 'requests', 'sites', 'links', 'warnings', 'access'] as const;
export type PageName = (typeof pageNames)[number];

const longestFragment = 2048;

/** What cannot be read leads to the first page. */
export function parseRoute(fragment: string): Route {
  const [path = '', query = ''] = fragment
    .slice(0, longestFragment)
    .replace(/^#?\/?/, '')
    .split('?', 2);
  const page = pageNames.find((name) => name === path) ?? 'topology';
  return { page, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

export function routeFragment({ page, parameters }: Route): string {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== '')).toString();
  return `#/${page}${query === '' ? '' : `?${query}`}`;
}

/** The fragment of a page, for links. */
export function pageLink(page: PageName, parameters: Readonly<Record<string, string>> = {}): string {
  return routeFragment({ page, parameters });
}
