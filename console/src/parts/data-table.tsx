import { Fragment, type ComponentChildren, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { countText } from '../format/number-text.ts';
import { nextOrder, sortedRows, type Order, type SortValue } from '../model/table-order.ts';
import { Icon } from './icon.tsx';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly render: (row: Row) => ComponentChildren;
  /** Makes the column one that can be sorted by. */
  readonly sortBy?: (row: Row) => SortValue;
  /** Digits stand below each other, at the right. */
  readonly numeric?: boolean;
  /** Left out where the page is narrow. */
  readonly wideOnly?: boolean;
  /** Shown only where there is much room. */
  readonly widestOnly?: boolean;
  readonly hint?: string;
  readonly className?: string;
}

/** Rows that are shown at first, and how many come with each wish for more: every row is drawn again with each snapshot. */
const rowStep = 100;
const moreRows = 400;

interface DataTableProperties<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly order?: Order;
  /** What a click on a row does; its first cell holds the button for the keyboard. */
  readonly onOpen?: (row: Row) => void;
  readonly openKey?: string | null;
  /** What stands below an open row. Without it the row is only marked. */
  readonly details?: (row: Row) => ComponentChildren;
  readonly className?: string;
}

/** A table that can be sorted, whose rows can be opened, and that becomes a list of cards where the page is narrow. */
export function DataTable<Row>(properties: DataTableProperties<Row>): JSX.Element {
  const { label, columns, rows, keyOf, onOpen, openKey = null, details, className = '' } = properties;
  const [order, setOrder] = useState<Order | undefined>(properties.order);
  const sortBy = columns.find(({ key }) => key === order?.key)?.sortBy;
  const sorted = sortBy === undefined || order === undefined ? rows : sortedRows(rows, sortBy, order.descending);
  const [limit, setLimit] = useState(rowStep);
  const keyed = withKeys(sorted, keyOf);
  const openIndex = openKey === null ? -1 : keyed.findIndex(({ key }) => key === openKey);
  const shown = keyed.slice(0, Math.max(limit, openIndex + 1));
  return (
    <div class="table-scroll">
      <table class={`table ${className}`} aria-label={label} role="table" onKeyDown={moveBetweenRows}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <HeadCell key={column.key} column={column} order={order} onOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {shown.map(({ row, key }) => {
            const isOpen = key === openKey;
            return (
              <Fragment key={key}>
                <tr
                  role="row"
                  data-row={key}
                  class={`${onOpen === undefined ? '' : 'can-open'} ${isOpen ? 'is-open' : ''}`}
                  onClick={onOpen === undefined ? undefined : (event) => openUnlessSelecting(event, () => onOpen(row))}
                >
                  {columns.map((column, index) => (
                    <td
                      key={column.key}
                      role={index === 0 ? 'rowheader' : 'cell'}
                      data-column={column.key}
                      data-title={column.title}
                      class={cellClass(column)}
                    >
                      {index > 0 || onOpen === undefined ? (
                        column.render(row)
                      ) : (
                        <button
                          type="button"
                          class="row-button"
                          {...(details === undefined ? { 'aria-pressed': isOpen } : { 'aria-expanded': isOpen })}
                        >
                          {details === undefined ? null : <Icon name={isOpen ? 'down' : 'right'} size={12} />}
                          {column.render(row)}
                        </button>
                      )}
                    </td>
                  ))}
                </tr>
                {isOpen && details !== undefined ? (
                  <tr class="details" role="row">
                    <td colSpan={columns.length} role="cell">
                      {details(row)}
                    </td>
                  </tr>
                ) : null}
              </Fragment>
            );
          })}
        </tbody>
      </table>
      {shown.length === sorted.length ? null : (
        <button type="button" class="more-rows" onClick={() => setLimit(limit + moreRows)}>
          {countText(sorted.length - shown.length)} more
        </button>
      )}
    </div>
  );
}

/** What comes from the network may have rows that look the same: those after the first get a number. */
function withKeys<Row>(rows: readonly Row[], keyOf: (row: Row) => string): readonly { readonly row: Row; readonly key: string }[] {
  const counts = new Map<string, number>();
  return rows.map((row) => {
    const key = keyOf(row);
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    return { row, key: count === 0 ? key : `${key} (${count + 1})` };
  });
}

function cellClass<Row>({ numeric = false, wideOnly = false, widestOnly = false, className = '' }: Column<Row>): string {
  return `${numeric ? 'numeric' : ''} ${wideOnly ? 'wide-only' : ''} ${widestOnly ? 'widest-only' : ''} ${className}`;
}

interface HeadCellProperties<Row> {
  readonly column: Column<Row>;
  readonly order: Order | undefined;
  readonly onOrder: (order: Order) => void;
}

function HeadCell<Row>({ column, order, onOrder }: HeadCellProperties<Row>): JSX.Element {
  const { key, title, sortBy, numeric = false, hint } = column;
  const isOrder = order?.key === key;
  const sort = !isOrder ? 'none' : order.descending ? 'descending' : 'ascending';
  if (sortBy === undefined) {
    return (
      <th role="columnheader" scope="col" class={cellClass(column)} title={hint}>
        {title}
      </th>
    );
  }
  return (
    <th role="columnheader" scope="col" class={cellClass(column)} aria-sort={sort} title={hint}>
      <button
        type="button"
        class={`sort ${isOrder ? 'is-order' : ''}`}
        onClick={() => onOrder(nextOrder(order ?? { key: '', descending: false }, key, numeric))}
      >
        {title}
        <Icon name={sort === 'ascending' ? 'up' : 'down'} size={10} />
      </button>
    </th>
  );
}

/** Who marks text in a row wants to copy it, not to open the row; links do what they say. */
function openUnlessSelecting(event: MouseEvent, open: () => void): void {
  const target = event.target instanceof Element ? event.target : null;
  const control = target?.closest('a, button, input');
  if (control !== null && control !== undefined && !control.classList.contains('row-button')) return;
  if ((getSelection()?.toString() ?? '') === '') open();
}

/** Up and down go from row to row. */
function moveBetweenRows(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>('.row-button')];
  const index = buttons.findIndex((button) => button === document.activeElement);
  if (index < 0) return;
  event.preventDefault();
  buttons[index + (event.key === 'ArrowDown' ? 1 : -1)]?.focus();
}
