import { homedir, userInfo } from 'node:os';
import { siteLayout, type SiteLayout } from '../site/state-layout.ts';

/** Where the site of a namespace keeps its state, for this user and environment. Throws InputError `namespace-invalid`. */
export function layoutOf(namespace: string, environment: NodeJS.ProcessEnv = process.env): SiteLayout {
  return siteLayout(namespace, environment, { uid: process.getuid?.() ?? userInfo().uid, home: homedir() });
}
