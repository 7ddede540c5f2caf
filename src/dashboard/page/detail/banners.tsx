import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Revoke } from '../acts/revoke.js'
import { call } from '../lib/api.js'
import { useNow } from '../lib/clock.js'
import { moment } from '../lib/format.js'
import { useLoad } from '../lib/hooks.js'
import { Rich } from '../lib/rich.js'
import { standingOf } from '../lib/status.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { linkTo, type Place } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Ago } from '../ui/time.js'
import { User } from '../ui/who.js'

type Props = { readonly token: Token; readonly place: Place; readonly onChanged: () => void }

/** Banners that the user must see first. */
export function Banners({ token, place, onChanged }: Props): JSX.Element {
  const now = useNow()
  return (
    <div class="banners">
      <StandingBanner token={token} place={place} onChanged={onChanged} />
      {token.replacesId !== undefined && token.status !== 'revoked' && <OldOne id={token.replacesId} place={place} />}
      {token.rotationDueAt !== undefined && token.status === 'active' && Date.parse(token.rotationDueAt) <= now && (
        <Banner tone="warn" icon="rotate">
          {t('detail.dueBanner', { time: moment(token.rotationDueAt) })}
        </Banner>
      )}
    </div>
  )
}

function StandingBanner({ token, place, onChanged }: Props): JSX.Element | null {
  const standing = standingOf(token, useNow())
  if (standing === 'revoked' && token.revokedAt !== undefined) {
    return (
      <Banner tone="danger" icon="ban">
        <p>
          <Rich k="detail.revokedBanner" time={moment(token.revokedAt)} name={token.revokedBy && <User id={token.revokedBy} />} />
        </p>
        {token.revokedReason && (
          <p>
            <Rich k="detail.reason" reason={token.revokedReason} />
          </p>
        )}
      </Banner>
    )
  }
  if (standing === 'inactive' && token.deactivatedAt !== undefined) {
    return (
      <Banner tone="warn" icon="pause">
        <Rich
          k="detail.inactiveBanner"
          time={<Ago at={token.deactivatedAt} />}
          name={token.deactivatedBy && <User id={token.deactivatedBy} />}
        />
      </Banner>
    )
  }
  const end = token.expiresAt
  if (end === undefined) return null
  if (standing === 'expired')
    return (
      <Banner tone="warn">
        <Rich k="detail.expiredBanner" time={<Ago at={end} />} />
      </Banner>
    )
  if (standing === 'expiring')
    return (
      <Banner tone="warn" icon="clock">
        <Rich k="detail.expiringBanner" time={<Ago at={end} />} />
      </Banner>
    )
  if (standing !== 'rotating') return null
  return (
    <Banner tone="info" icon="rotate">
      <p>
        {t('detail.rotatingBanner', { time: moment(end) })} <LastUse token={token} />
      </p>
      {token.replacedById !== undefined && (
        <p>
          <a {...linkTo({ ...place, token: token.replacedById })}>{t('detail.openSuccessor')}</a>
        </p>
      )}
      <EndOld old={token} onDone={onChanged} />
    </Banner>
  )
}

/** During a rotation: whether the old token is still in use. */
function OldOne({ id, place }: { readonly id: string; readonly place: Place }): JSX.Element | null {
  const now = useNow()
  const { data: old, reload } = useLoad(id, (signal) => call<Token>('GET', id, { signal }))
  if (old?.expiresAt === undefined || old.status !== 'active' || standingOf(old, now) === 'expired') return null
  return (
    <Banner tone="info" icon="rotate">
      <p>
        {t('detail.oldStill', { time: moment(old.expiresAt) })} <LastUse token={old} />
      </p>
      <p>
        <a {...linkTo({ ...place, token: old.id })}>{t('detail.openOld')}</a>
      </p>
      <EndOld old={old} onDone={reload} />
    </Banner>
  )
}

/** Revokes the old token before its overlap ends, after showing its remaining uses. */
function EndOld({ old, onDone }: { readonly old: Token; readonly onDone: () => void }): JSX.Element {
  const [asking, setAsking] = useState(false)
  return (
    <p>
      <Button icon="ban" onClick={() => setAsking(true)}>
        {t('detail.endOld')}
      </Button>
      {asking && <Revoke token={old} onClose={() => setAsking(false)} onDone={onDone} />}
    </p>
  )
}

function LastUse({ token: { lastUsedAt, importedFrom } }: { readonly token: Token }): JSX.Element {
  const { usageCounted } = useWorld()
  if (!usageCounted) return <Rich k="rotate.nowUnknown" />
  if (lastUsedAt === undefined) return <Rich k={importedFrom === undefined ? 'detail.oldUnused' : 'revoke.unusedImported'} />
  return <Rich k="detail.oldUsed" time={<Ago at={lastUsedAt} />} />
}
