import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { RevokeAll } from '../acts/revoke-all.js'
import { Create } from '../form/create.js'
import { call } from '../lib/api.js'
import { useLoad, useNarrow } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Summary, Token, World } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { Banner, Blank, Button } from '../ui/bits.js'
import { ProblemState } from '../ui/problem.js'
import { Bulk } from './bulk.js'
import { Cards } from './cards.js'
import { Filters } from './filters.js'
import { Pager } from './pager.js'
import { isFiltered, loadRows } from './query.js'
import { Skeleton } from './skeleton.js'
import { Table, type Uses } from './table.js'

const DAYS = 14
const STEP_SECONDS = 43_200

/** The list of tokens. */
export function List({ place, world }: { readonly place: Place; readonly world: World }): JSX.Element {
  const narrow = useNarrow()
  const [open, setOpen] = useState<'create' | 'revokeAll' | undefined>()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const { data: rows, problem, loading, reload } = useLoad(JSON.stringify(place), (signal) => loadRows(place, signal))
  const items = rows?.items ?? []
  const uses = useUses(items)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => setSelected(new Set()), [JSON.stringify(place)])
  useEffect(() => {
    document.title = t('app.title')
  }, [])

  const chosen = items.filter(({ id }) => selected.has(id))
  const shown = { items, uses, selected, onSelect: setSelected, place }
  return (
    <>
      <div class="head">
        <div>
          <h1 ref={heading}>{t('app.title')}</h1>
          <p class="muted">{t('app.subtitle')}</p>
        </div>
        <div class="head-actions">
          <Button kind="danger-quiet" onClick={() => setOpen('revokeAll')}>
            {t('action.revokeAll')}
          </Button>
          <Button kind="primary" icon="plus" onClick={() => setOpen('create')}>
            {t('action.create')}
          </Button>
        </div>
      </div>
      <Filters place={place} me={world.me} />
      {rows?.cut && <Banner tone="info">{t('list.sortNote')}</Banner>}
      {problem !== undefined ? (
        <div class="card">
          <ProblemState problem={problem} reload={reload} />
        </div>
      ) : rows === undefined ? (
        <Skeleton />
      ) : items.length === 0 ? (
        <div class="card">
          <EmptyList filtered={isFiltered(place) || place.page !== undefined} onCreate={() => setOpen('create')} />
        </div>
      ) : (
        <div class={`results ${loading ? 'stale' : ''}`} aria-busy={loading}>
          {narrow ? <Cards {...shown} /> : <Table {...shown} />}
          <Pager place={place} next={rows.next} shown={items.length} />
        </div>
      )}
      {chosen.length > 0 && (
        <Bulk
          tokens={chosen}
          onDone={() => {
            setSelected(new Set())
            reload()
          }}
          onClear={() => setSelected(new Set())}
        />
      )}
      {open === 'create' && <Create world={world} onClose={() => setOpen(undefined)} onMade={reload} />}
      {open === 'revokeAll' && <RevokeAll world={world} client={place.client} onClose={() => setOpen(undefined)} onDone={reload} />}
    </>
  )
}

function EmptyList({ filtered, onCreate }: { readonly filtered: boolean; readonly onCreate: () => void }): JSX.Element {
  if (filtered) {
    return (
      <Blank icon="search" title="empty.none.title" text="empty.none.text">
        <Button onClick={() => go({})}>{t('action.clear')}</Button>
      </Blank>
    )
  }
  return (
    <Blank icon="key" title="empty.title" text="empty.text">
      <Button kind="primary" icon="plus" onClick={onCreate}>
        {t('action.create')}
      </Button>
    </Blank>
  )
}

// The small pictures come behind the list: it never waits for them.
function useUses(items: readonly Token[]): Uses | undefined {
  const ids = items.map(({ id }) => id)
  const { data } = useLoad(ids.join(), async (signal) => {
    if (ids.length === 0) return new Map<string, Summary>()
    const hour = 3_600_000
    const from = new Date(Math.ceil(Date.now() / hour) * hour - DAYS * 24 * hour).toISOString()
    const { items: found } = await call<{ items: Summary[] }>('GET', 'usage', {
      query: { id: ids, from, stepSeconds: STEP_SECONDS },
      signal,
    })
    return new Map(found.map((summary) => [summary.tokenId, summary]))
  })
  return data
}
