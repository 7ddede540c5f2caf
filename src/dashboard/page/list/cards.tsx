import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { NameCell } from './cells.js'
import { RowMenu } from './row-menu.js'
import { Select, type Shown } from './table.js'

/** The tokens of a page as cards, for windows too narrow for rows. */
export function Cards({ items, uses, columns, selected, onSelect, place, onAct, onChanged }: Shown): JSX.Element {
  return (
    <ul class="cards" aria-label={t('list.caption')}>
      {items.map((token) => (
        <li key={token.id} class={`card token-card ${token.status === 'revoked' ? 'over' : ''} ${selected.has(token.id) ? 'chosen' : ''}`}>
          <div class="card-top">
            <Select token={token} selected={selected} onSelect={onSelect} />
            <NameCell token={token} place={place} />
            <RowMenu token={token} onAct={onAct} onChanged={onChanged} />
          </div>
          <dl>
            {columns.map(({ id, label, cell }) => (
              <div key={id} class={`col-${id}`}>
                <dt>{label}</dt>
                <dd>{cell(token, uses)}</dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  )
}
