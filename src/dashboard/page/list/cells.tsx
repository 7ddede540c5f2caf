import type { JSX } from 'preact'
import { ago } from '../lib/ago.js'
import { useNow } from '../lib/clock.js'
import { briefMoment, day, exact } from '../lib/format.js'
import { Rich } from '../lib/rich.js'
import { standingOf } from '../lib/status.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { linkTo, type Place } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { CopyButton } from '../ui/copy.js'
import { Ago, Moment } from '../ui/time.js'
import { Client, User } from '../ui/who.js'

export function NameCell({ token, place }: { readonly token: Token; readonly place: Place }): JSX.Element {
  return (
    <div class="name-cell">
      <a class="token-name" title={token.name} {...linkTo({ ...place, token: token.id })}>
        <bdi>{token.name}</bdi>
      </a>
      <div class="hint-line">
        <code>{token.hint}</code>
        <CopyButton text={() => token.id} label={t('action.copyId', { id: token.id })} />
        {token.description && (
          <p class="description" dir="auto" title={token.description}>
            {token.description}
          </p>
        )}
      </div>
    </div>
  )
}

export function ClientCell({ token }: { readonly token: Token }): JSX.Element {
  return (
    <>
      {token.tenantId === undefined ? (
        <span class="tag">{t('list.everyClient')}</span>
      ) : (
        <span class="cut">
          <Client id={token.tenantId} />
        </span>
      )}
      {token.ownerId !== undefined && (
        <p class="sub cut">
          <Rich k="list.owner" name={<User id={token.ownerId} />} />
        </p>
      )}
    </>
  )
}

/** Details that the badge does not show: when, and by whom. */
export function StatusNote({ token }: { readonly token: Token }): JSX.Element | null {
  const now = useNow()
  const standing = standingOf(token, now)
  if (standing === 'rotating' && token.expiresAt !== undefined)
    return (
      <p class="sub note">
        <Rich k="status.until" time={briefMoment(token.expiresAt)} />
      </p>
    )
  const due = token.status === 'active' && token.rotationDueAt !== undefined && Date.parse(token.rotationDueAt) <= now
  if (due) return <p class="sub note due">{t('view.rotationDue')}</p>
  const [at, by] = token.status === 'revoked' ? [token.revokedAt, token.revokedBy] : [token.deactivatedAt, token.deactivatedBy]
  if (at === undefined) return null
  return (
    <p class="sub note cut" title={`${ago(at, now)} · ${exact(at)} · ${by ?? ''}`}>
      <Rich k="status.by" time={ago(at, now)} name={by && <User id={by} />} />
    </p>
  )
}

/** The last use. If uses are no longer counted, an old use is not shown as if it were the last. */
export function LastUsedCell({ token: { lastUsedAt, lastUsedIp, importedFrom } }: { readonly token: Token }): JSX.Element {
  const { usageCounted } = useWorld()
  if (!usageCounted) {
    return (
      <>
        <span class="muted">{t('list.notCounted')}</span>
        {lastUsedAt !== undefined && (
          <p class="sub">
            <Rich k="list.countedUntil" time={<Ago at={lastUsedAt} />} />
          </p>
        )}
      </>
    )
  }
  if (lastUsedAt === undefined) return <span class="muted">{t(importedFrom === undefined ? 'list.neverUsed' : 'list.unusedImported')}</span>
  return (
    <>
      <Ago at={lastUsedAt} />
      {lastUsedIp && <p class="sub mono">{lastUsedIp}</p>}
    </>
  )
}

export function ExpiresCell({ token }: { readonly token: Token }): JSX.Element {
  if (token.expiresAt === undefined) return <span class="muted">{t('list.never')}</span>
  return (
    <>
      <time dateTime={token.expiresAt} title={exact(token.expiresAt)}>
        {day(token.expiresAt)}
      </time>
      {token.status !== 'revoked' && (
        <p class="sub">
          <Ago at={token.expiresAt} />
        </p>
      )}
    </>
  )
}

export function CreatedCell({ token }: { readonly token: Token }): JSX.Element {
  return (
    <>
      <time dateTime={token.createdAt} title={exact(token.createdAt)}>
        {day(token.createdAt)}
      </time>
      <p class="sub cut">
        <Rich k="list.by" name={<User id={token.createdBy} />} />
      </p>
    </>
  )
}

/** The owner, whose permissions limit the token. */
export function OwnerCell({ token }: { readonly token: Token }): JSX.Element {
  if (token.ownerId === undefined) return <span class="muted">{t('detail.none')}</span>
  return (
    <span class="cut">
      <User id={token.ownerId} />
    </span>
  )
}

export function CreatedTimeCell({ token }: { readonly token: Token }): JSX.Element {
  return <Moment at={token.createdAt} />
}

export function RevokedAtCell({ token }: { readonly token: Token }): JSX.Element {
  return token.revokedAt === undefined ? <span class="muted">{t('list.never')}</span> : <Moment at={token.revokedAt} />
}

export function RevokedByCell({ token }: { readonly token: Token }): JSX.Element {
  if (token.revokedBy === undefined) return <span class="muted">–</span>
  return (
    <span class="cut">
      <User id={token.revokedBy} />
    </span>
  )
}
