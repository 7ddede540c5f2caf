import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import type { Summary, Token } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { Icon } from '../ui/icons.js'
import { Chips, StatusBadge } from '../ui/token.js'
import { ClientCell, CreatedCell, ExpiresCell, LastUsedCell, NameCell, StatusNote } from './cells.js'
import { type Column, sortOf } from './query.js'
import { type OnAct, RowMenu } from './row-menu.js'
import { Spark } from './spark.js'

/** The uses of the tokens on a page, by id; absent until they are known. */
export type Uses = ReadonlyMap<string, Summary>

export type Shown = {
  readonly items: readonly Token[]
  readonly uses: Uses | undefined
  readonly selected: ReadonlySet<string>
  readonly onSelect: (selected: ReadonlySet<string>) => void
  readonly place: Place
  readonly onAct: OnAct
  readonly onChanged: () => void
}

/** The tokens of a page in rows. */
export function Table({ items, uses, selected, onSelect, place, onAct, onChanged }: Shown): JSX.Element {
  const { usageCounted } = useWorld()
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
            <Sortable column="name" place={place} />
            <Sortable column="client" place={place} />
            <th scope="col">{t('list.column.status')}</th>
            <th scope="col">{t('list.column.scopes')}</th>
            <Sortable column="lastUsed" place={place} />
            {usageCounted && (
              <th scope="col" class="use">
                {t('list.column.use')}
              </th>
            )}
            <Sortable column="expires" place={place} />
            <Sortable column="created" place={place} />
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
              <td>
                <ClientCell token={token} />
              </td>
              <td>
                <StatusBadge token={token} />
                <StatusNote token={token} />
              </td>
              <td>
                <Chips items={token.scopes} most={1} />
              </td>
              <td>
                <LastUsedCell token={token} />
              </td>
              {usageCounted && (
                <td class="use">
                  <Spark summary={uses?.get(token.id)} />
                </td>
              )}
              <td>
                <ExpiresCell token={token} />
              </td>
              <td>
                <CreatedCell token={token} />
              </td>
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

/** The box that chooses a token. */
export function Select({ token, selected, onSelect }: Pick<Shown, 'selected' | 'onSelect'> & { readonly token: Token }): JSX.Element {
  const toggle = (): void => {
    const next = new Set(selected)
    if (!next.delete(token.id)) next.add(token.id)
    onSelect(next)
  }
  return <input type="checkbox" aria-label={t('list.select', { name: token.name })} checked={selected.has(token.id)} onChange={toggle} />
}

function Sortable({ column, place }: { readonly column: Column; readonly place: Place }): JSX.Element {
  const { column: current, descending } = sortOf(place)
  const on = current === column
  // The first click shows what people look for: names from A, instants from the newest, ends from the nearest.
  const firstDown = column === 'created' || column === 'lastUsed'
  const down = on ? !descending : firstDown
  const sort = column === 'created' && down ? undefined : `${down ? '-' : ''}${column}`
  const { page: _, sort: __, ...rest } = place
  return (
    <th scope="col" aria-sort={on ? (descending ? 'descending' : 'ascending') : undefined}>
      <button type="button" class={`sort ${on ? 'on' : ''}`} onClick={() => go({ ...rest, ...(sort !== undefined && { sort }) })}>
        {t(`list.column.${column}`)}
        <Icon name={on && !descending ? 'up' : 'down'} />
      </button>
    </th>
  )
}
