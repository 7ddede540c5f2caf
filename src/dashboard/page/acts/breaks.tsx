import type { JSX } from 'preact'
import { call } from '../lib/api.js'
import { useLoad } from '../lib/hooks.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Ago } from '../ui/time.js'

/** What is known to depend on a token. What is not known is said to be unknown, never to be nothing. */
export function Breaks({ token }: { readonly token: Token }): JSX.Element {
  const { usageCounted } = useWorld()
  // The page may have been open for long: what will break is asked now.
  const { data, problem, loading } = useLoad(token.id, (signal) => call<Token>('GET', token.id, { signal }))
  const known = data ?? (token.lastUsedAt === undefined ? undefined : token)
  return (
    <p role="status">
      <strong>
        {!usageCounted ? (
          t('revoke.notCounted')
        ) : known !== undefined ? (
          <LastUse token={known} />
        ) : problem === undefined && loading ? (
          t('revoke.checking')
        ) : (
          t('revoke.unknown')
        )}
      </strong>
    </p>
  )
}

function LastUse({ token: { lastUsedAt, lastUsedIp } }: { readonly token: Token }): JSX.Element {
  if (lastUsedAt === undefined) return <Rich k="revoke.unused" />
  if (lastUsedIp === undefined) return <Rich k="revoke.usedNoIp" time={<Ago at={lastUsedAt} />} />
  return <Rich k="revoke.used" time={<Ago at={lastUsedAt} />} ip={lastUsedIp} />
}
