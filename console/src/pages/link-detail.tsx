import type { JSX } from 'preact';
import type { LinkRow } from '../../../src/flows/network-snapshot.ts';
import { byteRateText, noValue, percentText } from '../format/number-text.ts';
import { durationText, spanText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { commandLine } from '../format/command-line.ts';
import { DetailPanel } from '../parts/detail-panel.tsx';
import { Facts } from '../parts/facts.tsx';
import { Name } from '../parts/name.tsx';
import { SiteLink } from '../parts/site-link.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { useNowMs } from '../state/use-console.ts';

export function LinkDetail({ link, onClose }: { readonly link: LinkRow; readonly onClose: () => void }): JSX.Element {
  const nowMs = useNowMs();
  const { name, state, cost, upSinceMs, downCount, directionKnown, roundTripMs, lossRatio } = link;
  return (
    <DetailPanel kind="Link" title={`${link.fromName} – ${link.toName}`} command={commandLine(['van', 'link', 'status'])} onClose={onClose}>
      <Facts
        rows={[
          ['State', <StateMark key="state" tone={state === 'up' ? 'good' : 'poor'} text={state} />],
          ['Name', <Name key="name" text={name} />],
          [directionKnown ? 'Dialled by' : 'One end', <SiteLink key="from" id={link.from} name={link.fromName} />],
          [directionKnown ? 'Accepted by' : 'Other end', <SiteLink key="to" id={link.to} name={link.toName} />],
          ['Cost', cost],
          ['Round trip', durationText(roundTripMs)],
          ['Loss', lossRatio === null ? noValue : percentText(lossRatio)],
          ['Up for', upSinceMs === null ? noValue : spanText(nowMs - upSinceMs)],
          ['Went down', downCount === 1 ? 'once' : `${downCount} times`],
          [visibleName(`To ${link.toName}`), byteRateText(link.bytesPerSecond)],
          [visibleName(`To ${link.fromName}`), byteRateText(link.bytesReversePerSecond)],
        ]}
      />
    </DetailPanel>
  );
}
