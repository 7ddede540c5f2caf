import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Entry } from '../detail/audit.js'
import type { Query } from '../lib/api.js'
import { useLoad, useTask } from '../lib/hooks.js'
import { loadNames, useNames } from '../lib/names.js'
import { t } from '../lib/text.js'
import { useTitle } from '../lib/title.js'
import type { AuditEvent, Page } from '../lib/types.js'
import { linkTo, type Place, useScroll } from '../lib/url.js'
import { announce } from '../ui/announce.js'
import { Button } from '../ui/button.js'
import { download } from '../ui/download.js'
import { Icon } from '../ui/icons.js'
import { ProblemLine, ProblemState } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { csvOf } from './csv.js'
import { EventFilters } from './filters.js'
import { nameTokens, useTokenNames } from './names.js'
import { eventFilters, loadEvents } from './query.js'

const LIMIT = 50
/** The maximum number of pages in an export, of events, and of events per page. A page may be empty although more follow. */
const EXPORT = { pages: 100, events: 10_000, limit: 1000 }

/** The audit log of every token that the user can see. */
export function AuditScreen({ place }: { readonly place: Place }): JSX.Element {
  const query = eventFilters(place)
  const key = JSON.stringify(query)
  const first = useLoad(key, (signal) => loadEvents({ ...query, limit: LIMIT }, signal))
  const { busy, problem, run } = useTask()
  const { tenants, owners } = useNames()
  useTitle(t('audit.log'))
  useScroll(first.data !== undefined)
  useEffect(() => {
    const count = first.data?.items.length
    if (count !== undefined) announce(count === 0 ? t('audit.logNone') : t('events.found', { count }))
  }, [first.data])
  const save = (): Promise<void> =>
    run(async () => {
      const { items, more } = await collect(query)
      const [token, tenant, person] = await Promise.all([
        nameTokens(items),
        loadNames(
          'tenants',
          tenants,
          items.flatMap(({ tenantId }) => tenantId ?? []),
        ),
        loadNames(
          'owners',
          owners,
          items.map(({ actorId }) => actorId),
        ),
      ])
      download('audit.csv', 'text/csv;charset=utf-8', csvOf(items, { token, tenant, person }))
      say(t(more ? 'export.more' : 'export.done', { count: items.length }))
    })
  return (
    <>
      <nav>
        <a class="back" {...linkTo({})}>
          <Icon name="back" />
          {t('action.back')}
        </a>
      </nav>
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{t('audit.log')}</h1>
          <p class="muted">{t('audit.logText')}</p>
        </div>
        <div class="head-actions">
          <Button icon="down" busy={busy} onClick={() => void save()}>
            {t('audit.export')}
          </Button>
        </div>
      </div>
      <EventFilters place={place} shown={first.data?.items} />
      <ProblemLine problem={problem} />
      <div class="card audit-log" aria-busy={first.loading}>
        {first.data === undefined && first.problem !== undefined && <ProblemState {...first} problem={first.problem} />}
        {first.data === undefined && first.problem === undefined && <p class="muted none">{t('use.loading')}</p>}
        {first.data !== undefined && <Events key={key} place={place} query={query} first={first.data} />}
      </div>
    </>
  )
}

function Events({ place, query, first }: { readonly place: Place; readonly query: Query; readonly first: Page<AuditEvent> }): JSX.Element {
  const [older, setOlder] = useState<Page<AuditEvent> | undefined>()
  const { busy, problem, run } = useTask()
  const events = [...first.items, ...(older?.items ?? [])]
  const names = useTokenNames(events)
  const cursor = (older ?? first).nextCursor
  const more = (): Promise<void> =>
    run(async () => {
      const page = await loadEvents({ ...query, limit: LIMIT, cursor })
      setOlder({ ...page, items: [...(older?.items ?? []), ...page.items] })
    })
  if (events.length === 0 && cursor === undefined) return <p class="muted none">{t('audit.logNone')}</p>
  return (
    <>
      <ol class="audit">
        {events.map((event) => (
          <Entry key={event.id} event={event} among={{ place, names }} />
        ))}
      </ol>
      <ProblemLine problem={problem} />
      {cursor !== undefined && (
        <Button kind="quiet" busy={busy} onClick={() => void more()}>
          {t('action.more')}
        </Button>
      )}
    </>
  )
}

/** Returns everything that matches, up to a bound. */
async function collect(query: Query): Promise<{ readonly items: readonly AuditEvent[]; readonly more: boolean }> {
  const items: AuditEvent[] = []
  let cursor: string | undefined
  for (let page = 0; page < EXPORT.pages && items.length < EXPORT.events; page += 1) {
    const found = await loadEvents({ ...query, limit: EXPORT.limit, cursor })
    items.push(...found.items)
    cursor = found.nextCursor
    if (cursor === undefined) return { items, more: false }
  }
  return { items, more: true }
}
