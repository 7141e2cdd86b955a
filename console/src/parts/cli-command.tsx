import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { inNamespace } from '../format/command-line.ts';
import { visibleName } from '../format/visible-name.ts';
import { useConsoleState } from '../state/use-console.ts';
import { Icon } from './icon.tsx';

const shownMs = 1500;
const defaultNamespace = 'default';

interface CliCommandProperties {
  readonly command: string;
  /** It is for another site or says its namespace already. */
  readonly asIs?: boolean;
}

/** The command that prints the same, and a button that copies it. */
export function CliCommand({ command: typed, asIs = false }: CliCommandProperties): JSX.Element {
  const namespace = useConsoleState(({ site }) => site?.site.namespace ?? defaultNamespace);
  const command = asIs || namespace === defaultNamespace ? typed : inNamespace(typed, namespace);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = window.setTimeout(() => setCopied(false), shownMs);
    return () => window.clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    void copyText(command).then(setCopied);
  };
  return (
    <button type="button" class="cli" onClick={copy} title={`Copy: ${visibleName(command)}`} data-command={command}>
      <span class="cli-prompt" aria-hidden="true">
        $
      </span>
      <code>{visibleName(command)}</code>
      <Icon name={copied ? 'done' : 'copy'} size={14} />
      <span class="unseen" role="status">
        {copied ? 'Copied' : ''}
      </span>
      <span class="unseen">Copy this command</span>
    </button>
  );
}

/** Whether it worked: browsers give the clipboard to secure pages only. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'unseen';
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  return copied;
}
