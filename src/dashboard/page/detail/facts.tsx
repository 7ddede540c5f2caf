import type { JSX } from 'preact'
import { Fact } from '../form/overview.js'
import { config } from '../lib/config.js'
import { duration, moment } from '../lib/format.js'
import { useTenancy } from '../lib/names.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { linkTo, type Place } from '../lib/url.js'
import { LastUsedCell } from '../list/cells.js'
import { textOfMetadata } from '../list/columns.js'
import { CopyButton } from '../ui/copy.js'
import { Moment } from '../ui/time.js'
import { Chips, ScopesOf } from '../ui/token.js'
import { Client, User } from '../ui/who.js'

/** Every field of a token. */
export function Facts({ token, place }: { readonly token: Token; readonly place: Place }): JSX.Element {
  const hasTenants = useTenancy([token])
  const resources = Object.entries(token.resources ?? {})
  return (
    <section class="card facts-card" aria-labelledby="facts">
      <h2 id="facts">{t('detail.facts')}</h2>
      <dl class="facts">
        <Fact label={t('detail.id')}>
          <code class="wrap">{token.id}</code>
          <CopyButton text={() => token.id} label={t('action.copyId', { id: token.id })} />
        </Fact>
        {hasTenants && (
          <Fact label={t('detail.client')}>{token.tenantId === undefined ? t('list.everyClient') : <Client id={token.tenantId} />}</Fact>
        )}
        <Fact label={t('detail.owner')}>{token.ownerId === undefined ? t('detail.none') : <User id={token.ownerId} />}</Fact>
        <Fact label={t('detail.scopes')}>
          <ScopesOf token={token} most={100} />
        </Fact>
        <Fact label={t('detail.resources')}>
          {token.resources === undefined
            ? t('detail.unrestricted')
            : resources.map(([dimension, values]) => (
                <p key={dimension}>
                  <bdi>{dimension}</bdi>: {values.length === 0 ? t('detail.nothing') : <Chips items={values} most={20} />}
                </p>
              ))}
        </Fact>
        <Fact label={t('detail.addresses')}>
          {token.allowedIps === undefined ? (
            t('detail.anywhere')
          ) : (
            <span class="mono wrap">{token.allowedIps.join(', ') || t('detail.nothing')}</span>
          )}
        </Fact>
        <Fact label={t('detail.expires')}>{token.expiresAt === undefined ? t('list.never') : <Moment at={token.expiresAt} />}</Fact>
        {token.notBefore && (
          <Fact label={t('detail.begins')}>
            <Moment at={token.notBefore} />
          </Fact>
        )}
        <Fact label={t('detail.lastUsed')}>
          <LastUsedCell token={token} />
        </Fact>
        <Fact label={t('detail.created')}>
          <Moment at={token.createdAt} />
          <p class="sub">
            <Rich k="list.by" name={<User id={token.createdBy} />} />
          </p>
        </Fact>
        <Fact label={t('detail.updated')}>
          <Moment at={token.updatedAt} />
        </Fact>
        {token.deactivatedAt && (
          <Fact label={t('detail.deactivated')}>
            <Moment at={token.deactivatedAt} />
            <p class="sub">{token.deactivatedBy && <Rich k="list.by" name={<User id={token.deactivatedBy} />} />}</p>
          </Fact>
        )}
        {token.revokedAt && (
          <Fact label={t('detail.revoked')}>
            <Moment at={token.revokedAt} />
            <p class="sub">{token.revokedBy && <Rich k="list.by" name={<User id={token.revokedBy} />} />}</p>
            {token.revokedReason && (
              <p class="sub" dir="auto">
                {token.revokedReason}
              </p>
            )}
          </Fact>
        )}
        {token.rotateEverySeconds && (
          <Fact label={t('detail.reminder')}>
            {t('detail.reminderEvery', { time: duration(token.rotateEverySeconds) })}
            {token.rotationDueAt && <p class="sub">{t('detail.due', { time: moment(token.rotationDueAt) })}</p>}
          </Fact>
        )}
        {token.importedFrom && (
          <Fact label={t('detail.importedFrom')}>
            <code>{token.importedFrom}</code>
            <p class="sub">{t('detail.importedNote')}</p>
          </Fact>
        )}
        <Neighbour label={t('detail.replaces')} id={token.replacesId} place={place} />
        <Neighbour label={t('detail.replacedBy')} id={token.replacedById} place={place} />
        {(config.metadata ?? []).map(({ key, label }) => (
          <Fact key={key} label={label}>
            <bdi>{textOfMetadata(token, key) || t('detail.none')}</bdi>
          </Fact>
        ))}
        {token.metadata && (
          <Fact label={t('detail.metadata')}>
            <pre>{JSON.stringify(token.metadata, null, 2)}</pre>
          </Fact>
        )}
      </dl>
    </section>
  )
}

function Neighbour({
  label,
  id,
  place,
}: {
  readonly label: string
  readonly id: string | undefined
  readonly place: Place
}): JSX.Element | null {
  if (id === undefined) return null
  return (
    <Fact label={label}>
      <a {...linkTo({ ...place, token: id })}>
        <code>{id}</code>
      </a>
    </Fact>
  )
}
