import { useState } from 'preact/hooks';
import type { Hit } from '../api.ts';
import { columnsOf, OPERATORS, type Operator, toFilter } from './filter-text.ts';
import type { State } from './state.ts';
import type { Change } from './use-address.ts';

interface Props {
  readonly state: State;
  readonly change: Change;
  readonly hits: readonly Hit[];
}

const WORDS: Readonly<Record<Operator, string>> = {
  '=': 'is',
  '!=': 'is not',
  '>=': 'at least',
  '<=': 'at most',
  contains: 'contains',
};

/** Comparisons of the columns that are there; all have to hold. */
export function Filters({ state, change, hits }: Props) {
  const columns = columnsOf(hits, state.target);
  const [name, setName] = useState('');
  const [operator, setOperator] = useState<Operator>('=');
  const [value, setValue] = useState('');
  const column = columns.find((one) => one.name === name) ?? columns[0];
  const add = (event: Event) => {
    event.preventDefault();
    if (!column || value === '') return;
    const filter = toFilter(column, operator, value);
    if (!state.filters.includes(filter)) change({ filters: [...state.filters, filter] });
    setValue('');
  };
  return (
    <div class="filters">
      {state.filters.map((filter) => (
        <span key={filter} class="part">
          <code>{filter}</code>
          <button
            type="button"
            aria-label={`Remove the filter ${filter}`}
            onClick={() => change({ filters: state.filters.filter((one) => one !== filter) })}
          >
            ×
          </button>
        </span>
      ))}
      <details>
        <summary>Filter</summary>
        <form onSubmit={add}>
          <select
            aria-label="Column"
            value={column?.name}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
          >
            {columns.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name.replace(/^meta\./, '')}
              </option>
            ))}
          </select>
          <select
            aria-label="Comparison"
            value={operator}
            onChange={({ currentTarget }) => setOperator(currentTarget.value as Operator)}
          >
            {OPERATORS.map((one) => (
              <option key={one} value={one}>
                {WORDS[one]}
              </option>
            ))}
          </select>
          <input
            class="field"
            aria-label="Value"
            list="values"
            value={value}
            onInput={({ currentTarget }) => setValue(currentTarget.value)}
          />
          <datalist id="values">
            {column?.values.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
          <button type="submit">Add</button>
        </form>
      </details>
    </div>
  );
}
