import type { ComponentChildren, JSX } from 'preact';
import { CliCommand } from './cli-command.tsx';

interface PanelProperties {
  readonly title: string;
  /** Beside the title: a count, a state. */
  readonly note?: ComponentChildren;
  readonly command?: string;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A part of a page with its heading and the command that prints the same. */
export function Panel({ title, note, command, tools, children }: PanelProperties): JSX.Element {
  return (
    <section class="panel" aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note === undefined ? null : <span class="panel-note">{note}</span>}
        <span class="panel-tools">{tools}</span>
        {command === undefined ? null : <CliCommand command={command} />}
      </header>
      {children}
    </section>
  );
}

/** Nothing to show: why, and what to type. */
export function Empty({
  title,
  children,
  command,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly command?: string;
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children === undefined ? null : <p>{children}</p>}
      {command === undefined ? null : <CliCommand command={command} />}
    </div>
  );
}

export function Loading({ what }: { readonly what: string }): JSX.Element {
  return (
    <div class="empty" role="status">
      <p class="loading">Waiting for {what}…</p>
    </div>
  );
}

export function Failure({ message }: { readonly message: string }): JSX.Element {
  return (
    <div class="failure" role="alert">
      {message}
    </div>
  );
}
