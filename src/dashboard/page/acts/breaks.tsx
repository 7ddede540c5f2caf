import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { endpointsOf } from '../detail/series.js'
import { call } from '../lib/api.js'
import { number, spanText } from '../lib/format.js'
import { useLoad } from '../lib/hooks.js'
import { Rich } from '../lib/rich.js'
import { MONTH_HOURS, sinceHours, useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Token, Usage } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Ago } from '../ui/time.js'
import { CallCounts } from './calls.js'

const MOST = 3

/** Shows what is known to depend on a token. Missing data is shown as unknown, never as no use. */
export function Breaks({ token }: { readonly token: Token }): JSX.Element {
  const { usageCounted } = useWorld()
  return (
    <div class="breaks" role="status">
      {usageCounted ? (
        <Counted token={token} />
      ) : (
        <p>
          <strong>{t('revoke.notCounted')}</strong>
        </p>
      )}
    </div>
  )
}

function Counted({ token }: { readonly token: Token }): JSX.Element {
  // The page may have been open for a long time, so the usage is loaded again now.
  const span = useSpan(MONTH_HOURS)
  const { data, problem, loading } = useLoad(token.id, (signal) => loadUses(token.id, span, signal))
  const known = data ?? (token.lastUsedAt === undefined ? undefined : token)
  return (
    <>
      <p>
        <strong>
          {known !== undefined ? (
            <LastUse of={known} imported={token.importedFrom !== undefined} />
          ) : problem === undefined && loading ? (
            t('revoke.checking')
          ) : (
            t('revoke.unknown')
          )}
        </strong>
      </p>
      {data?.lastUsedAt !== undefined && <Uses usage={data} span={span} />}
      {data === undefined && known !== undefined && <p>{t(problem === undefined ? 'revoke.counting' : 'revoke.uncounted')}</p>}
    </>
  )
}

const loadUses = (id: string, hours: number, signal: AbortSignal): Promise<Usage> =>
  call('GET', `${id}/usage`, { query: { from: new Date(sinceHours(hours)).toISOString(), step: '1d' }, signal })

type LastUseProps = { readonly of: Pick<Token, 'lastUsedAt' | 'lastUsedIp'>; readonly imported: boolean }

function LastUse({ of: { lastUsedAt, lastUsedIp }, imported }: LastUseProps): JSX.Element {
  if (lastUsedAt === undefined) return <Rich k={imported ? 'revoke.unusedImported' : 'revoke.unused'} />
  if (lastUsedIp === undefined) return <Rich k="revoke.usedNoIp" time={<Ago at={lastUsedAt} />} />
  return <Rich k="revoke.used" time={<Ago at={lastUsedAt} />} ip={lastUsedIp} />
}

/** Recent use: how often, by which calls and from where. */
function Uses({ usage, span }: { readonly usage: Usage; readonly span: number }): JSX.Element {
  const day = useMemo(() => {
    const since = sinceHours(24)
    return usage.buckets.reduce((sum, { at, outcome, count }) => sum + (outcome === 'allowed' && Date.parse(at) >= since ? count : 0), 0)
  }, [usage])
  const endpoints = endpointsOf(usage).filter(({ allowed }) => allowed > 0)
  return (
    <>
      <CallCounts day={day} all={usage.total} />
      <Top
        title={t('revoke.endpoints', { span: spanText(span) })}
        rows={endpoints.map(({ label, allowed }) => ({ label: label || t('use.unknownEndpoint'), note: number(allowed) }))}
      />
      <Top title={t('revoke.addresses')} rows={usage.addresses.map(({ ip, lastAt }) => ({ label: ip, note: <Ago at={lastAt} /> }))} />
    </>
  )
}

function Top({ title, rows }: { readonly title: string; readonly rows: readonly { label: string; note: JSX.Element | string }[] }) {
  if (rows.length === 0) return null
  return (
    <div class="break-list">
      <p class="sub">{title}</p>
      <ul>
        {rows.slice(0, MOST).map(({ label, note }) => (
          <li key={label}>
            <code>{label}</code> <span class="muted">{note}</span>
          </li>
        ))}
      </ul>
      {rows.length > MOST && <p class="sub">{t('revoke.more', { count: rows.length - MOST })}</p>}
    </div>
  )
}
