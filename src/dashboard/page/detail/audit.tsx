import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { call } from '../lib/api.js'
import { useLoad, useTask } from '../lib/hooks.js'
import { Rich } from '../lib/rich.js'
import { fieldName, hasText, t } from '../lib/text.js'
import type { AuditEvent, Page } from '../lib/types.js'
import { linkTo, type Place } from '../lib/url.js'
import { Button } from '../ui/button.js'
import { Icon, type IconName } from '../ui/icons.js'
import { ProblemLine } from '../ui/problem.js'
import { Ago } from '../ui/time.js'
import { Client, User } from '../ui/who.js'
import { Value } from './value.js'

const LIMIT = 20

const ICONS: { readonly [action: string]: IconName } = {
  'token.created': 'plus',
  'token.updated': 'edit',
  'token.activated': 'play',
  'token.deactivated': 'pause',
  'token.rotated': 'rotate',
  'token.rotation_due': 'clock',
  'token.expiring': 'clock',
  'token.expired': 'clock',
  'token.unused': 'clock',
  'token.old_still_used': 'warn',
  'token.revoked': 'ban',
  'tokens.revoked': 'ban',
  'owner.gone': 'ban',
  'owner.erased': 'ban',
  'token.leaked': 'warn',
  'token.pruned': 'close',
  'token.imported': 'down',
  'token.refused': 'lock',
  'token.reused': 'lock',
  'management.refused': 'lock',
}

/** The audit trail of a token: who, when, from where, and what changed. */
export function Audit({ id, onExplain }: { readonly id: string; readonly onExplain: (event: AuditEvent) => void }): JSX.Element {
  const first = useLoad(id, (signal) => load(id, undefined, signal))
  const [older, setOlder] = useState<Page<AuditEvent> | undefined>()
  const { busy, problem, run } = useTask()
  const events = [...(first.data?.items ?? []), ...(older?.items ?? [])]
  const cursor = (older ?? first.data)?.nextCursor
  const more = (): Promise<void> =>
    run(async () => {
      const page = await load(id, cursor)
      setOlder({ ...page, items: [...(older?.items ?? []), ...page.items] })
    })
  return (
    <section class="card" aria-labelledby="audit">
      <h2 id="audit">{t('audit.title')}</h2>
      {first.data && events.length === 0 && cursor === undefined && <p class="muted none">{t('audit.none')}</p>}
      <ol class="audit">
        {events.map((event) => (
          <Entry key={event.id} event={event} onExplain={onExplain} />
        ))}
      </ol>
      <ProblemLine problem={problem} />
      <ProblemLine problem={first.problem} reload={first.reload} />
      {cursor !== undefined && (
        <Button kind="quiet" busy={busy} onClick={() => void more()}>
          {t('action.more')}
        </Button>
      )}
    </section>
  )
}

const load = (id: string, cursor?: string, signal?: AbortSignal): Promise<Page<AuditEvent>> =>
  call('GET', `${id}/events`, { query: { limit: LIMIT, cursor }, ...(signal && { signal }) })

/** For events of several tokens: where they are shown, and the names of the tokens. */
type Among = { readonly place: Place; readonly names: ReadonlyMap<string, string> }

type EntryProps = {
  readonly event: AuditEvent
  readonly among?: Among
  /** Opens the explanation of a refusal. */
  readonly onExplain?: (event: AuditEvent) => void
}

/** The text for an action. Among events of several tokens, names the token, unless the text has no placeholder for it. */
function Deed({ event, among }: { readonly event: AuditEvent; readonly among: Among | undefined }): JSX.Element {
  const { action, tokenId, count = 0 } = event
  const key = `audit.${action}`
  const token =
    among === undefined || tokenId === undefined ? (
      t('audit.thisToken')
    ) : (
      <a title={tokenId} {...linkTo({ ...among.place, token: tokenId })}>
        {among.names.has(tokenId) ? <bdi>{among.names.get(tokenId)}</bdi> : <code>{tokenId}</code>}
      </a>
    )
  if (hasText(key)) return <Rich k={key} token={token} count={count} />
  return (
    <>
      {action} {tokenId !== undefined && token}
    </>
  )
}

/** One event. Among events of several tokens, it names its token. */
export function Entry({ event, among, onExplain }: EntryProps): JSX.Element {
  const fields = [...new Set([...Object.keys(event.before ?? {}), ...Object.keys(event.after ?? {})])]
  const presented = event.action === 'token.refused' || event.action === 'token.reused'
  return (
    <li class={event.action.replace(/^.*\./, '')}>
      <span class="audit-icon">
        <Icon name={ICONS[event.action] ?? 'info'} />
      </span>
      <div>
        <p class="audit-line">
          <strong>{presented ? t('audit.presented') : <User id={event.actorId} />}</strong> <Deed event={event} among={among} />
          {event.code && (
            <>
              : <code>{event.code}</code>
            </>
          )}
          {(event.count ?? 0) > 1 && event.action !== 'tokens.revoked' && ` ${t('audit.times', { count: event.count ?? 0 })}`}
        </p>
        <p class="sub">
          <Ago at={event.at} />
          {among !== undefined && event.tenantId !== undefined && (
            <>
              {' · '}
              <Client id={event.tenantId} />
            </>
          )}
          {event.ip && (
            <>
              {' · '}
              <Rich k="audit.from" ip={<span class="mono">{event.ip}</span>} />
            </>
          )}
        </p>
        {onExplain !== undefined && event.action === 'token.refused' && (
          <Button kind="quiet" onClick={() => onExplain(event)}>
            {t('explain.title')}
          </Button>
        )}
        {event.reason && (
          <p class="audit-reason">
            <bdi>{event.reason}</bdi>
          </p>
        )}
        {fields.length > 0 && (
          <details>
            <summary>{t('audit.changes')}</summary>
            <table class="diff">
              <thead>
                <tr>
                  <th scope="col">{t('audit.field')}</th>
                  <th scope="col">{t('audit.before')}</th>
                  <th scope="col">{t('audit.after')}</th>
                </tr>
              </thead>
              <tbody>
                {fields.map((field) => (
                  <tr key={field}>
                    <th scope="row">{fieldName(field)}</th>
                    <td>
                      <Value value={event.before?.[field]} field={field} />
                    </td>
                    <td>
                      <Value value={event.after?.[field]} field={field} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        )}
      </div>
    </li>
  )
}
