import type { JSX } from 'preact';
import { pageLink } from '../state/route.ts';
import { Name } from './name.tsx';

/** A site's name that leads to the site on the map. */
export function SiteLink({ id, name }: { readonly id: string; readonly name: string }): JSX.Element {
  return (
    <a href={pageLink('topology', { site: id })} class="quiet-link">
      <Name text={name} />
    </a>
  );
}

/** A service's name that leads to the service among the services. */
export function ServiceLink({ address }: { readonly address: string }): JSX.Element {
  return (
    <a href={pageLink('services', { open: address })} class="quiet-link">
      <Name text={address} />
    </a>
  );
}
