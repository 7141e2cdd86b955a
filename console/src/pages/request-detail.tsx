import type { JSX } from 'preact';
import type { RequestRow, RequestTrace } from '../../../src/flows/network-snapshot.ts';
import { commandLine } from '../format/command-line.ts';
import { bytesText } from '../format/number-text.ts';
import { dateTimeText, durationText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { DetailPanel } from '../parts/detail-panel.tsx';
import { Facts } from '../parts/facts.tsx';
import { Name } from '../parts/name.tsx';
import { Failure, Loading } from '../parts/panel.tsx';
import { OutcomeMark } from '../parts/request-table.tsx';
import { Waterfall } from '../parts/waterfall.tsx';
import { useAnswer } from '../state/use-console.ts';

/** Of an open request more becomes known. */
const refreshMs = 2000;

interface RequestDetailProperties {
  readonly id: string;
  /** What is known of it before the observer has answered. */
  readonly row: RequestRow | null;
  readonly onClose: () => void;
}

export function RequestDetail({ id, row, onClose }: RequestDetailProperties): JSX.Element {
  const { value, error } = useAnswer<RequestTrace>(`requests/${encodeURIComponent(id)}`, {}, row?.ended === false ? refreshMs : 0);
  const trace = value?.request.id === id ? value : null;
  const request = trace?.request ?? row;
  const title =
    request === null
      ? id
      : request.kind === 'connection'
        ? `${request.protocol} connection`
        : `${request.method ?? request.protocol} ${request.path ?? request.authority ?? ''}`;
  return (
    <DetailPanel
      kind={request?.kind === 'connection' ? 'Connection' : 'Request'}
      title={title}
      command={commandLine(['van', 'trace', id])}
      onClose={onClose}
    >
      {error === null ? null : <Failure message={error} />}
      {request === null && error === null ? <Loading what="the request" /> : null}
      {request === null ? null : (
        <dl class="golden-strip">
          <div>
            <dt>Outcome</dt>
            <dd>
              <OutcomeMark row={request} />
            </dd>
          </div>
          <div>
            <dt>First byte</dt>
            <dd>{durationText(request.firstByteMs)}</dd>
          </div>
          <div>
            <dt>Duration</dt>
            <dd>{request.ended ? durationText(request.durationMs) : 'under way'}</dd>
          </div>
        </dl>
      )}
      {request === null || error !== null ? null : (
        <>
          <h3>Where the time went</h3>
          {trace === null ? <p class="waterfall-place loading">Asking…</p> : <Waterfall trace={trace} />}
          <h3>Details</h3>
        </>
      )}
      {request === null ? null : <RequestFacts request={request} />}
    </DetailPanel>
  );
}

function RequestFacts({ request }: { readonly request: RequestRow }): JSX.Element {
  return (
    <Facts
      rows={[
        ['Error', request.error === null ? null : <code key="error">{visibleName(request.error)}</code>],
        ['Service', <Name key="service" text={request.address} />],
        ['Authority', request.authority === null ? null : <Name key="authority" text={request.authority} mono />],
        ['Client', <Name key="client" text={`${request.client} at ${request.sourceSite}`} />],
        [
          'Server',
          request.destSite === null ? (
            'none'
          ) : (
            <Name key="server" text={`${request.server ?? request.connector ?? 'server'} at ${request.destSite}`} />
          ),
        ],
        ['Connector', request.connector === null ? null : <Name key="connector" text={request.connector} />],
        ['Path', request.trace.length === 0 ? null : <Name key="trace" text={request.trace.join(' → ')} />],
        ['Tries', request.tries],
        ['From client', bytesText(request.bytesFromClient)],
        ['To client', bytesText(request.bytesToClient)],
        ['Started', dateTimeText(request.startMs)],
        ['Request id', request.requestId === null ? null : <Name key="id" text={request.requestId} mono />],
        ['Flow', <Name key="flow" text={request.id} mono />],
      ]}
    />
  );
}
