import type { IconName } from '../parts/icon.tsx';
import type { PageName } from '../state/route.ts';

/** The pages in the order of the navigation, with the letter that follows `g` to go there. */
export const pageEntries: readonly { readonly name: PageName; readonly title: string; readonly icon: IconName; readonly letter: string }[] =
  [
    { name: 'topology', title: 'Topology', icon: 'topology', letter: 't' },
    { name: 'services', title: 'Services', icon: 'services', letter: 's' },
    { name: 'live', title: 'Live', icon: 'live', letter: 'l' },
    { name: 'requests', title: 'Requests', icon: 'requests', letter: 'r' },
    { name: 'sites', title: 'Sites', icon: 'sites', letter: 'i' },
    { name: 'links', title: 'Links', icon: 'links', letter: 'k' },
    { name: 'warnings', title: 'Warnings', icon: 'warnings', letter: 'w' },
    { name: 'access', title: 'Access', icon: 'access', letter: 'a' },
  ];
