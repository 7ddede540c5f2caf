import type { JSX } from 'preact'
import { day, duration } from '../lib/format.js'
import { textOfIds } from '../lib/ids.js'
import { type Kind, useLabel } from '../lib/names.js'
import { t } from '../lib/text.js'
import type { Scopes } from '../lib/types.js'
import { Chips } from '../ui/token.js'
import { type Draft, endsAt, resourcesOf } from './draft.js'
import { risky } from './grid.js'

/** A summary of the token before it is created. */
export function Overview({ draft, scopes }: { readonly draft: Draft; readonly scopes: Scopes }): JSX.Element {
  const resources = Object.entries(resourcesOf(draft) ?? {})
  const described = new Map([...scopes.items.map((item): [string, string] => [item.name, item.description])])
  const addresses = draft.addresses.split(/[\s,]+/).filter(Boolean)
  return (
    <div class="overview">
      <p class="overview-name" dir="auto">
        {draft.name || t('form.unnamed')}
      </p>
      {draft.description && (
        <p class="muted" dir="auto">
          {draft.description}
        </p>
      )}
      <dl class="facts">
        <Fact label={t('form.client')}>
          <ClientOf draft={draft} />
        </Fact>
        {draft.ownerId && (
          <Fact label={t('form.owner')}>
            <Named kind="owners" id={draft.ownerId} />
          </Fact>
        )}
        <Fact label={t('form.scopes')}>
          {draft.inherit ? (
            t('form.ownersScopes')
          ) : draft.scopes.length === 0 ? (
            t('detail.nothing')
          ) : (
            <ul class="scope-overview">
              {draft.scopes.map((scope) => (
                <li key={scope} class={risky(scope) ? 'risk' : undefined}>
                  <code>{scope}</code> <span class="muted">{described.get(scope)}</span>
                </li>
              ))}
            </ul>
          )}
        </Fact>
        <Fact label={t('form.expires')}>
          <End draft={draft} />
        </Fact>
        <Fact label={t('form.resources')}>
          {resources.length === 0
            ? t('detail.unrestricted')
            : resources.map(([dimension, values]) => `${dimension}: ${textOfIds(values) || t('detail.nothing')}`).join('; ')}
        </Fact>
        <Fact label={t('form.addresses')}>
          {addresses.length === 0 ? t('detail.anywhere') : <span class="mono">{addresses.join(', ')}</span>}
        </Fact>
        {draft.reminder && (
          <Fact label={t('form.reminder')}>{t('detail.reminderEvery', { time: duration(Number(draft.reminder) * 86_400) })}</Fact>
        )}
        {draft.metadata.trim() && (
          <Fact label={t('form.metadata')}>
            <pre>{draft.metadata}</pre>
          </Fact>
        )}
      </dl>
    </div>
  )
}

/** The summary in one line. */
export function Brief({ draft }: { readonly draft: Draft }): JSX.Element {
  return (
    <>
      <ClientOf draft={draft} /> · {draft.inherit ? t('form.ownersScopes') : <Chips items={draft.scopes} />} · {t('form.expires')}{' '}
      <End draft={draft} />
    </>
  )
}

function ClientOf({ draft: { reach, tenantId } }: { readonly draft: Draft }): JSX.Element {
  if (reach === 'every') return <strong class="risk">{t('form.clientEvery')}</strong>
  return tenantId ? <Named kind="tenants" id={tenantId} /> : <span>{t('form.choose')}</span>
}

function End({ draft }: { readonly draft: Draft }): JSX.Element {
  const end = endsAt(draft)
  if (typeof end !== 'number') return <span class="never">{t('form.never')}</span>
  return <span>{Number.isNaN(end) ? '…' : day(end)}</span>
}

function Named({ kind, id }: { readonly kind: Kind; readonly id: string }): JSX.Element {
  return <bdi>{useLabel(kind, id)}</bdi>
}

/** A term and its description. */
export function Fact({ label, children }: { readonly label: string; readonly children: preact.ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  )
}
