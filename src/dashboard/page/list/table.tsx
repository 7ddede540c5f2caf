import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { Icon } from '../ui/icons.js'
import { NameCell } from './cells.js'
import type { Column as Shape } from './columns.js'
import { type Column, sortOf } from './query.js'
import { type OnAct, RowMenu } from './row-menu.js'
import type { Uses } from './spark.js'

export type Shown = {
  readonly items: readonly Token[]
  readonly uses: Uses | undefined
  readonly selected: ReadonlySet<string>
  readonly onSelect: (selected: ReadonlySet<string>) => void
  readonly columns: readonly Shape[]
  readonly place: Place
  readonly onAct: OnAct
  readonly onChanged: () => void
}

/** The tokens of a page as rows. */
export function Table({ items, uses, columns, selected, onSelect, place, onAct, onChanged }: Shown): JSX.Element {
  const all = items.every(({ id }) => selected.has(id))
  return (
    <div class="card table-card">
      <table>
        <caption class="hidden">{t('list.caption')}</caption>
        <thead>
          <tr>
            <th scope="col" class="check">
              <input
                type="checkbox"
                aria-label={t('list.selectAll')}
                checked={all}
                indeterminate={!all && selected.size > 0}
                onChange={() => onSelect(new Set(all ? [] : items.map(({ id }) => id)))}
              />
            </th>
            <Sortable column="name" label={t('list.column.name')} place={place} />
            {columns.map(({ id, label, sort }) =>
              sort === undefined ? (
                <th key={id} scope="col" class={`col-${id}`}>
                  {label}
                </th>
              ) : (
                <Sortable key={id} column={sort} label={label} place={place} />
              ),
            )}
            <th scope="col" class="row-menu">
              <span class="hidden">{t('list.column.menu')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((token) => (
            <tr key={token.id} class={`${token.status === 'revoked' ? 'over' : ''} ${selected.has(token.id) ? 'chosen' : ''}`}>
              <td class="check">
                <Select token={token} selected={selected} onSelect={onSelect} />
              </td>
              <td>
                <NameCell token={token} place={place} />
              </td>
              {columns.map(({ id, cell }) => (
                <td key={id} class={`col-${id}`}>
                  {cell(token, uses)}
                </td>
              ))}
              <td class="row-menu">
                <RowMenu token={token} onAct={onAct} onChanged={onChanged} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The checkbox that selects a token. */
export function Select({ token, selected, onSelect }: Pick<Shown, 'selected' | 'onSelect'> & { readonly token: Token }): JSX.Element {
  const toggle = (): void => {
    const next = new Set(selected)
    if (!next.delete(token.id)) next.add(token.id)
    onSelect(next)
  }
  return <input type="checkbox" aria-label={t('list.select', { name: token.name })} checked={selected.has(token.id)} onChange={toggle} />
}

function Sortable({ column, label, place }: { readonly column: Column; readonly label: string; readonly place: Place }): JSX.Element {
  const { column: current, descending } = sortOf(place)
  const on = current === column
  // The first click sorts in the most useful order: names from A, dates from the newest, expiries from the soonest.
  const firstDown = column === 'created' || column === 'lastUsed'
  const down = on ? !descending : firstDown
  const sort = column === 'created' && down ? undefined : `${down ? '-' : ''}${column}`
  const order = (): void => go(({ page: _, sort: __, ...here }) => ({ ...here, ...(sort !== undefined && { sort }) }))
  return (
    <th scope="col" aria-sort={on ? (descending ? 'descending' : 'ascending') : undefined}>
      <button type="button" class={`sort ${on ? 'on' : ''}`} onClick={order}>
        {label}
        <Icon name={on && !descending ? 'up' : 'down'} />
      </button>
    </th>
  )
}
