import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { useWorld } from '../lib/world.js'
import { Chips, StatusBadge } from '../ui/token.js'
import { ClientCell, CreatedCell, ExpiresCell, LastUsedCell, NameCell, StatusNote } from './cells.js'
import { RowMenu } from './row-menu.js'
import { Spark } from './spark.js'
import { Select, type Shown } from './table.js'

/** The tokens of a page as cards, where rows have no room. */
export function Cards({ items, uses, selected, onSelect, place, onAct, onChanged }: Shown): JSX.Element {
  const { usageCounted } = useWorld()
  return (
    <ul class="cards" aria-label={t('list.caption')}>
      {items.map((token) => (
        <li key={token.id} class={`card token-card ${token.status === 'revoked' ? 'over' : ''} ${selected.has(token.id) ? 'chosen' : ''}`}>
          <div class="card-top">
            <Select token={token} selected={selected} onSelect={onSelect} />
            <NameCell token={token} place={place} />
            <RowMenu token={token} onAct={onAct} onChanged={onChanged} />
          </div>
          <div class="card-status">
            <StatusBadge token={token} />
            <StatusNote token={token} />
          </div>
          <Chips items={token.scopes} most={3} />
          {usageCounted && <Spark summary={uses?.get(token.id)} />}
          <dl>
            <div>
              <dt>{t('list.column.client')}</dt>
              <dd>
                <ClientCell token={token} />
              </dd>
            </div>
            <div>
              <dt>{t('list.column.lastUsed')}</dt>
              <dd>
                <LastUsedCell token={token} />
              </dd>
            </div>
            <div>
              <dt>{t('list.column.expires')}</dt>
              <dd>
                <ExpiresCell token={token} />
              </dd>
            </div>
            <div>
              <dt>{t('list.column.created')}</dt>
              <dd>
                <CreatedCell token={token} />
              </dd>
            </div>
          </dl>
        </li>
      ))}
    </ul>
  )
}
