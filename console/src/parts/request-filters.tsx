import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
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
      <Choice label="Service" value={filter.service} options={services} onChange={(service) => onChange({ service })} />
      <Choice label="Method" value={filter.method} options={methods} onChange={(method) => onChange({ method })} isShort />
      <label class="field">
        <span>Path</span>
        <input type="text" value={filter.path} placeholder="/api" spellcheck={false} autocomplete="off" onInput={({ currentTarget }) => onChange({ path: currentTarget.value })} />
      </label>
      <Choice label="Status" value={filter.status} options={statuses} onChange={(status) => onChange({ status })} isShort isFree />
      <Choice label="Site" value={filter.site} options={sites} onChange={(site) => onChange({ site })} />
      <button type="button" class="text-button" disabled={!isFiltered(filter)} onClick={() => onChange(Object.fromEntries(filterNames.map((name) => [name, ''])))}>
        Clear
      </button>
    </form>
  );
}

interface ChoiceProperties {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
  readonly isShort?: boolean;
  /** Other texts than those of the list may be typed. */
  readonly isFree?: boolean;
}

function Choice({ label, value, options, onChange, isShort = false, isFree = false }: ChoiceProperties): JSX.Element {
  const list = useId();
  if (isFree) {
    return (
      <label class={`field ${isShort ? 'is-short' : ''}`}>
        <span>{label}</span>
        <input type="text" list={list} value={value} placeholder="any" spellcheck={false} autocomplete="off" onInput={({ currentTarget }) => onChange(currentTarget.value)} />
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
    <label class={`field ${isShort ? 'is-short' : ''}`}>
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">any</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
