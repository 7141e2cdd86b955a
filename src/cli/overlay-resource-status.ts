import type { ResourceReport } from '../overlay-host/operator/resource-operations.ts';
import type { OverlayKind, OverlaySpecs } from '../overlay/resources/resource-types.ts';
import type { Call } from './call.ts';
import type { Parameter } from './command.ts';
import { printResult } from './output.ts';
import { overlayResources, unknownOverlayResource } from './overlay-session.ts';
import { formatFields, formatTable } from './table.ts';

export const statusParameters: readonly Parameter[] = [{ name: 'NAME', meaning: 'only this one, in detail', optional: true }];

/** A resource of one kind, and all that there are. */
export interface Row<K extends OverlayKind> {
  readonly report: ResourceReport;
  readonly spec: OverlaySpecs[K];
  readonly all: readonly ResourceReport[];
}

export interface StatusColumns<K extends OverlayKind> {
  readonly kind: K;
  /** For "There are no ...". */
  readonly plural: string;
  readonly columns: readonly (readonly [title: string, cell: (row: Row<K>) => string])[];
}

/** Shows the resources of one kind, or one of them. */
export async function showOverlayStatus<K extends OverlayKind>(call: Call, { kind, plural, columns }: StatusColumns<K>): Promise<number> {
  const name = call.optionalParameter('NAME');
  const all = await overlayResources(call);
  const shown = all.filter((report) => report.kind === kind && (name === undefined || report.metadata.name === name));
  if (name !== undefined && shown.length === 0) throw unknownOverlayResource(kind, name, all);
  const rows = shown
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((report): Row<K> => ({ report, spec: report.spec as OverlaySpecs[K], all }));
  const data = rows.map(({ report }) => report);
  await printResult(call, name === undefined ? data : data[0], () => {
    const [first] = rows;
    if (first === undefined) return `There are no ${plural}.\n`;
    if (name !== undefined)
      return formatFields(columns.map(([title, cell]) => [title.charAt(0) + title.slice(1).toLowerCase(), cell(first)]));
    return formatTable(
      columns.map(([title]) => title),
      rows.map((row) => columns.map(([, cell]) => cell(row))),
    );
  });
  return 0;
}

export function nameCell({ report }: { readonly report: ResourceReport }): string {
  return report.metadata.name;
}

/** Where it was said. */
export function originCell({ report }: { readonly report: ResourceReport }): string {
  return report.status.origin === 'file' ? 'configuration' : 'catalog';
}

export function problemCell({ report }: { readonly report: ResourceReport }): string {
  return report.status.problem ?? '';
}
