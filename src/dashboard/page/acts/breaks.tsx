import type { JSX } from 'preact'
import { call } from '../lib/api.js'
import { useNow } from '../lib/clock.js'
import { ago } from '../lib/format.js'
import { useLoad } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'

/** What is known to depend on a token. What is not known is said to be unknown, never to be nothing. */
export function Breaks({ token }: { readonly token: Token }): JSX.Element {
  const { usageCounted } = useWorld()
  const now = useNow()
  // The page may have been open for long: what will break is asked now.
  const { data, problem, loading } = useLoad(token.id, (signal) => call<Token>('GET', token.id, { signal }))
  const known = data ?? (token.lastUsedAt === undefined ? undefined : token)
  return (
    <p role="status">
      <strong>
        {!usageCounted
          ? t('revoke.notCounted')
          : known !== undefined
            ? lastUse(known, now)
            : problem === undefined && loading
              ? t('revoke.checking')
              : t('revoke.unknown')}
      </strong>
    </p>
  )
}

function lastUse({ lastUsedAt, lastUsedIp }: Token, now: number): string {
  if (lastUsedAt === undefined) return t('revoke.unused')
  if (lastUsedIp === undefined) return t('revoke.usedNoIp', { time: ago(lastUsedAt, now) })
  return t('revoke.used', { time: ago(lastUsedAt, now), ip: lastUsedIp })
}
