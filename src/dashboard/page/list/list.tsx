import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Act, Acts } from '../acts/acts.js'
import { RevokeAll } from '../acts/revoke-all.js'
import { Create } from '../form/create.js'
import { call } from '../lib/api.js'
import { useLoad, useNarrow, useTight } from '../lib/hooks.js'
import { useNames, useTenancy } from '../lib/names.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import { useTitle } from '../lib/title.js'
import type { Summary, Token } from '../lib/types.js'
import { closeOver, go, linkTo, listOf, type Place, useScroll } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { announce } from '../ui/announce.js'
import { Banner } from '../ui/banner.js'
import { Blank } from '../ui/blank.js'
import { Button } from '../ui/button.js'
import { Icon } from '../ui/icons.js'
import { ProblemState } from '../ui/problem.js'
import { Bulk } from './bulk.js'
import { Cards } from './cards.js'
import { Chooser } from './chooser.js'
import { columnsFor, columnsHere, columnsShown, keepChosen, readChosen } from './columns.js'
import { Filters } from './filters.js'
import { Pager } from './pager.js'
import { isFiltered, loadRows, type Rows, sortOf } from './query.js'
import { Skeleton } from './skeleton.js'
import type { Uses } from './spark.js'
import { Strip } from './strip.js'
import { Table } from './table.js'

const DAYS = 14
const STEP = '12h'

/** The list of tokens, and the form for a new one as an overlay. */
export function List({ place: whole }: { readonly place: Place }): JSX.Element {
  const place = listOf(whole)
  const creating = whole.screen === 'create'
  const create = (): void => go((here) => ({ ...listOf(here), screen: 'create' }), 'over')
  const world = useWorld()
  const { me } = world
  const [ownColumns, setOwnColumns] = useState(readChosen)
  const tight = useTight()
  const shownColumns = ownColumns ?? columnsFor(tight)
  const narrow = useNarrow()
  const [revokingAll, setRevokingAll] = useState(false)
  const [acting, setActing] = useState<{ readonly token: Token; readonly act: Act } | undefined>()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const { tenants } = useNames()
  // Sorted again once the names by which tenants are shown are known.
  const named = sortOf(place).column === 'client' && tenants !== undefined
  const loaded = useLoad(JSON.stringify([place, named]), (signal) => loadRows(place, me.prefix, tenants, signal))
  const { data: rows, problem, loading, reload } = loaded
  const items = rows?.items ?? []
  const hasTenants = useTenancy(items)
  // The counts stay if a filter could not be loaded.
  const wasThere = useRef(false)
  wasThere.current ||= rows !== undefined
  const uses = useUses(items)
  const [round, setRound] = useState(0)
  const changed = (): void => {
    reload()
    setRound((before) => before + 1)
  }
  useTitle(creating ? t('form.create') : undefined)
  useScroll(rows !== undefined && !loading)
  useEffect(() => setSelected(new Set()), [JSON.stringify(place)])
  useEffect(() => {
    if (rows !== undefined) announce(foundText(rows))
  }, [rows])

  const onAct = (token: Token, act: Act): void => setActing({ token, act })
  const stopActing = (): void => setActing(undefined)
  const chosen = items.filter(({ id }) => selected.has(id))
  const all = columnsHere(world, hasTenants)
  const columns = columnsShown(all, shownColumns, items)
  const shown = { items, uses, columns, selected, onSelect: setSelected, place, onAct, onChanged: changed }
  return (
    <>
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{t('app.title')}</h1>
          <p class="muted">{t('app.subtitle')}</p>
        </div>
        <div class="head-actions">
          <Chooser
            columns={all}
            chosen={shownColumns}
            onChange={(chosen) => {
              setOwnColumns(chosen)
              keepChosen(chosen)
            }}
          />
          <a class="button plain" {...linkTo({ screen: 'audit' })}>
            <Icon name="clock" />
            {t('action.audit')}
          </a>
          <Button kind="danger-quiet" onClick={() => setRevokingAll(true)}>
            {t('action.revokeAll')}
          </Button>
          <Button kind="primary" icon="plus" onClick={create}>
            {t('action.create')}
          </Button>
        </div>
      </div>
      <Strip place={place} round={round} ready={wasThere.current} />
      <Filters place={place} me={me} sorts={narrow} hasTenants={hasTenants} />
      {rows?.cut && <Banner tone="info">{t('list.sortNote')}</Banner>}
      {rows?.wide && <Banner tone="info">{t('list.wide')}</Banner>}
      {rows?.outside && (
        <Banner tone="info">
          <Rich k="list.outside" name={rows.outside.name} />{' '}
          <Button kind="quiet" onClick={() => go({ ...(place.q !== undefined && { q: place.q }) })}>
            {t('action.clear')}
          </Button>
        </Banner>
      )}
      {problem !== undefined ? (
        <div class="card">
          <ProblemState {...loaded} problem={problem} />
        </div>
      ) : rows === undefined ? (
        <Skeleton />
      ) : items.length === 0 ? (
        !rows.wide && (
          <div class="card">
            <EmptyList filtered={isFiltered(place)} onCreate={create} />
          </div>
        )
      ) : (
        <div class={`results ${loading ? 'stale' : ''}`} aria-busy={loading}>
          {narrow ? <Cards {...shown} /> : <Table {...shown} />}
          <Pager place={place} rows={rows} />
        </div>
      )}
      <Bulk
        tokens={chosen}
        onDone={(failed) => {
          setSelected(new Set(failed.map(({ id }) => id)))
          changed()
        }}
        onClear={() => setSelected(new Set())}
      />
      {acting && (
        <Acts
          {...acting}
          onClose={stopActing}
          onChanged={changed}
          onMade={() => {
            stopActing()
            changed()
          }}
        />
      )}
      {creating && <Create wishes={whole} onClose={() => closeOver(place)} onMade={changed} />}
      {revokingAll && <RevokeAll of={place.tenant} onClose={() => setRevokingAll(false)} onDone={changed} />}
    </>
  )
}

function foundText({ items, page, wide }: Rows): string {
  if (wide) return t('list.wide')
  if (items.length === 0) return t('empty.none.title')
  return page === 1 ? t('list.found', { count: items.length }) : `${t('list.found', { count: items.length })}. ${t('list.page', { page })}`
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

// The sparklines load after the list, which never waits for them.
function useUses(items: readonly Token[]): Uses | undefined {
  const { usageCounted } = useWorld()
  const ids = usageCounted ? items.map(({ id }) => id) : []
  const { data } = useLoad(ids.join(), async (signal) => {
    if (ids.length === 0) return new Map<string, Summary>()
    const hour = 3_600_000
    const from = new Date(Math.ceil(Date.now() / hour) * hour - DAYS * 24 * hour).toISOString()
    const { items: found } = await call<{ items: Summary[] }>('GET', 'usage', {
      query: { id: ids, from, step: STEP },
      signal,
    })
    return new Map(found.map((summary) => [summary.tokenId, summary]))
  })
  return data
}
