import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NetworkSnapshot } from '../../../src/flows/network-snapshot.ts';
import { bytesText, countText } from '../format/number-text.ts';
import { spanText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import type { Check, ObserverState, SiteAnswer } from '../model/site-status.ts';
import { matchesSearch } from '../model/table-order.ts';
import { Facts } from '../parts/facts.tsx';
import { Empty, Failure, Loading, Panel } from '../parts/panel.tsx';
import { StateMark, type MarkTone } from '../parts/state-mark.tsx';
import { useAnswer, useConsoleState, useNowMs } from '../state/use-console.ts';
import { WarningCard } from './warning-card.tsx';

export function WarningsPage({ snapshot }: { readonly snapshot: NetworkSnapshot }): JSX.Element {
  const search = useConsoleState((state) => state.search);
  const observer = useConsoleState((state) => state.observer);
  const { warnings } = snapshot;
  const shown = warnings.filter(({ code, title, text, siteName }) => matchesSearch(search, [code, title, text, siteName]));
  return (
    <div class="stack">
      <Panel title="Warnings" note={warnings.length === 0 ? '' : countText(warnings.length)} command="van network status">
        {warnings.length === 0 ? (
          <Empty title="All is well">
            Causes show up here, each with the command that mends it. What follows from another problem is left out.
          </Empty>
        ) : shown.length === 0 ? (
          <Empty title="No warning matches the search" />
        ) : (
          <div class="warning-grid">
            {shown.map((warning) => (
              <WarningCard key={`${warning.code} ${warning.siteName} ${warning.text}`} warning={warning} />
            ))}
          </div>
        )}
      </Panel>
      <CheckPanel />
      {observer === null ? null : <ObserverPanel observer={observer} />}
    </div>
  );
}

const marks: Readonly<Record<Check['result'], readonly [MarkTone, string]>> = {
  ok: ['good', 'ok'],
  info: ['none', 'note'],
  warning: ['fair', 'warning'],
  error: ['poor', 'failed'],
  follows: ['none', 'follows'],
  skipped: ['none', 'skipped'],
};

/** Everything that is checked of the observer's own site, when it is asked for: it tries links and servers. */
function CheckPanel(): JSX.Element {
  const [asked, setAsked] = useState(0);
  const { value, error, loading } = useAnswer<SiteAnswer>(asked === 0 ? '' : 'site', { check: 'true' }, 0, asked);
  const report = value?.check;
  return (
    <Panel
      title="Check of this site"
      note={report === undefined ? '' : report.success ? 'passed' : 'something does not work'}
      command="van check"
      tools={
        <button type="button" class="tool-button" disabled={loading && asked > 0} onClick={() => setAsked(asked + 1)}>
          {loading && asked > 0 ? 'Checking…' : report === undefined ? 'Run the check' : 'Check again'}
        </button>
      }
    >
      {error === null ? null : <Failure message={error} />}
      {asked === 0 ? (
        <p class="hint padded">
          Looks at the site, its clock, certificates, links, versions and services, and tries its link endpoints and servers.
        </p>
      ) : null}
      {asked > 0 && report === undefined && error === null ? <Loading what="the check" /> : null}
      {report === undefined ? null : (
        <div class="checks">
          {report.categories.map(({ name, checks }) => (
            <section key={name} aria-label={name}>
              <h3>{visibleName(name)}</h3>
              <ul class="plain-list">
                {checks.map((check) => (
                  <li key={check.code} class={`check is-${check.result}`}>
                    <StateMark tone={marks[check.result][0]} text={marks[check.result][1]} />
                    <div>
                      {visibleName(check.description)}
                      {check.problems.map(({ text, remedy }) => (
                        <p key={text} class="check-problem">
                          {visibleName(text)}
                          {remedy === '' ? null : <code>{visibleName(remedy)}</code>}
                        </p>
                      ))}
                    </div>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </div>
      )}
    </Panel>
  );
}

function ObserverPanel({ observer }: { readonly observer: ObserverState }): JSX.Element {
  const nowMs = useNowMs();
  const { history } = observer;
  return (
    <Panel title="The observer">
      <div class="padded">
        <Facts
          rows={[
            ['Version', visibleName(observer.version)],
            ['Running for', spanText(nowMs - observer.startedMs)],
            [
              'Site',
              observer.connected ? (
                'connected'
              ) : (
                <span key="site" class="tone-poor">
                  not connected
                </span>
              ),
            ],
            ['Routers heard', countText(observer.sources)],
            [
              'History',
              `${visibleName(history.state)}, ${bytesText(history.bytes)}${history.message === null ? '' : `: ${visibleName(history.message)}`}`,
            ],
            ['Not kept', history.lost === 0 ? null : countText(history.lost)],
          ]}
        />
      </div>
    </Panel>
  );
}
