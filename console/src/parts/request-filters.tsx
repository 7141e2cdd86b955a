import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import { visibleName } from '../format/visible-name.ts';
import { filterNames, isFiltered, type RequestFilter } from '../model/request-filter.ts';

interface RequestFiltersProperties {
  readonly filter: RequestFilter;
  readonly services: readonly string[];
  readonly sites: readonly string[];
  readonly onChange: (change: Readonly<Record<string, string>>) => void;
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const statuses = ['2xx', '3xx', '4xx', '5xx'];

/** Which requests are shown. Names can be typed or chosen. */
export function RequestFilters({ filter, services, sites, onChange }: RequestFiltersProperties): JSX.Element {
  return (
    <form class="filters" role="search" aria-label="Requests" onSubmit={(event) => event.preventDefault()}>
      <Choice label="Service" any="any service" value={filter.service} options={services} onChange={(service) => onChange({ service })} />
      <Choice label="Method" any="any method" value={filter.method} options={methods} onChange={(method) => onChange({ method })} />
      <label class="field">
        <span class="unseen">Path</span>
        <input
          type="text"
          value={filter.path}
          placeholder="path, such as /api"
          spellcheck={false}
          autocomplete="off"
          onInput={({ currentTarget }) => onChange({ path: currentTarget.value })}
        />
      </label>
      <Choice label="Status" any="status" value={filter.status} options={statuses} onChange={(status) => onChange({ status })} isFree />
      <Choice label="From" any="from any site" value={filter.from} options={sites} onChange={(from) => onChange({ from })} />
      <Choice label="To" any="to any site" value={filter.to} options={sites} onChange={(to) => onChange({ to })} />
      <button
        type="button"
        class="text-button"
        disabled={!isFiltered(filter)}
        onClick={() => onChange(Object.fromEntries(filterNames.map((name) => [name, ''])))}
      >
        Clear
      </button>
    </form>
  );
}

interface ChoiceProperties {
  readonly label: string;
  /** Shown while nothing is chosen. */
  readonly any: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
  /** Other texts than those of the list may be typed. */
  readonly isFree?: boolean;
}

function Choice({ label, any, value, options, onChange, isFree = false }: ChoiceProperties): JSX.Element {
  const list = useId();
  if (isFree) {
    return (
      <label class="field">
        <span class="unseen">{label}</span>
        <input
          type="text"
          list={list}
          value={value}
          placeholder={any}
          spellcheck={false}
          autocomplete="off"
          onInput={({ currentTarget }) => onChange(currentTarget.value)}
        />
        <datalist id={list}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      </label>
    );
  }
  const all = value === '' || options.includes(value) ? options : [value, ...options];
  return (
    <label class="field">
      <span class="unseen">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">{any}</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {visibleName(option)}
          </option>
        ))}
      </select>
    </label>
  );
}
