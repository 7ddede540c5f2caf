import type { JSX } from 'preact'
import { chunksOf } from '../../../model/chunks.js'
import { call } from '../lib/api.js'
import { useLoad } from '../lib/hooks.js'
import type { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { MONTH_HOURS, sinceHours, useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Summary, Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Ago } from '../ui/time.js'
import { CallCounts } from './calls.js'

/** The maximum number of tokens whose usage one request returns. */
const AT_ONCE = 100
/** The number of most recently used tokens over which calls are summed. */
const MOST = 1000

type Props = {
  /** Their current state; absent until loaded. */
  readonly tokens: readonly Token[] | undefined
  /** The number of tokens, if that is known before they are loaded. */
  readonly count?: number
  /** Whether there are more tokens than these. */
  readonly more?: boolean | undefined
  readonly problem: Problem | undefined
}

/** Shows what is known to depend on tokens that are revoked together. Missing data is shown as unknown, never as no use. */
export function Together({ tokens, count, more, problem }: Props): JSX.Element {
  const { usageCounted } = useWorld()
  // For a single token, the wording of the single-token dialog is used.
  const about = (count ?? tokens?.length) === 1 && more !== true ? 'revoke' : 'together'
  return (
    <div class="breaks" role="status">
      {usageCounted && tokens !== undefined ? (
        <Counted about={about} tokens={tokens} more={more === true} />
      ) : (
        <p>
          <strong>{t(`${about}.${!usageCounted ? 'notCounted' : problem === undefined ? 'checking' : 'unknown'}`)}</strong>
        </p>
      )}
    </div>
  )
}

type About = 'revoke' | 'together'

function Counted({
  about,
  tokens,
  more,
}: {
  readonly about: About
  readonly tokens: readonly Token[]
  readonly more: boolean
}): JSX.Element {
  const used = [...tokens].filter(({ lastUsedAt }) => lastUsedAt !== undefined).sort((a, b) => usedAt(b) - usedAt(a))
  const since = sinceHours(MONTH_HOURS)
  const recent = used.filter((token) => usedAt(token) >= since)
  const imported = tokens.filter(({ lastUsedAt, importedFrom }) => lastUsedAt === undefined && importedFrom !== undefined)
  const [last] = used
  return (
    <>
      <p>
        <strong>
          {last === undefined
            ? t(`${about}.${imported.length === 0 ? 'unused' : 'unusedImported'}`)
            : about === 'revoke'
              ? t(recent.length === 0 ? 'together.usedBeforeOne' : 'together.usedOne')
              : t(recent.length === 0 ? 'together.usedBefore' : 'together.used', { count: recent.length })}
        </strong>{' '}
        {last?.lastUsedAt !== undefined && <Rich k="together.last" time={<Ago at={last.lastUsedAt} />} name={last.name} />}
      </p>
      {last !== undefined && imported.length > 0 && <p>{t('together.imported', { count: imported.length })}</p>}
      {recent.length > 0 && <Calls about={about} ids={recent.slice(0, MOST).map(({ id }) => id)} more={more || recent.length > MOST} />}
      {more && <p>{t('together.newest', { count: tokens.length })}</p>}
    </>
  )
}

const usedAt = ({ lastUsedAt }: Token): number => (lastUsedAt === undefined ? 0 : Date.parse(lastUsedAt))

/** The number of recent calls with all these tokens. */
function Calls({ about, ids, more }: { readonly about: About; readonly ids: readonly string[]; readonly more: boolean }): JSX.Element {
  const span = useSpan(MONTH_HOURS)
  const { data, problem, loading } = useLoad(ids.join(), (signal) => loadCalls(ids, span, signal))
  if (data === undefined || loading) return <p>{t(`${about}.${problem === undefined ? 'counting' : 'uncounted'}`)}</p>
  return <CallCounts {...data} atLeast={more} />
}

async function loadCalls(
  ids: readonly string[],
  hours: number,
  signal: AbortSignal,
): Promise<{ readonly day: number; readonly all: number }> {
  const from = new Date(sinceHours(hours)).toISOString()
  const since = sinceHours(24)
  let day = 0
  let all = 0
  for (const some of chunksOf(ids, AT_ONCE)) {
    const { items } = await call<{ items: readonly Summary[] }>('GET', 'usage', {
      query: { id: some, from, step: '1d' },
      signal,
    })
    for (const { total, steps } of items) {
      all += total
      day += steps.reduce((sum, step) => sum + (Date.parse(step.at) >= since ? step.count : 0), 0)
    }
  }
  return { day, all }
}

/** When one of the tokens was last used, if known. */
export function LastUse({ token }: { readonly token: Token | undefined }): JSX.Element | null {
  const { usageCounted } = useWorld()
  if (token === undefined || !usageCounted) return null
  const { lastUsedAt, importedFrom } = token
  if (lastUsedAt !== undefined) return <span class="muted">{<Rich k="together.usedAt" time={<Ago at={lastUsedAt} />} />}</span>
  return <span class="muted">{t(importedFrom === undefined ? 'together.neverUsed' : 'list.unusedImported')}</span>
}
