import type { JSX } from 'preact'
import { useNow } from '../lib/clock.js'
import { standingOf } from '../lib/status.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'

/** The status of a token, in color and in words, kept up to date. */
export function StatusBadge({ token }: { readonly token: Token }): JSX.Element {
  const standing = standingOf(token, useNow())
  return (
    <span class={`badge ${standing}`}>
      <span class="dot" />
      {t(`status.${standing}`)}
    </span>
  )
}

/** The permissions of a token: its scopes, or those of its owner. */
export function ScopesOf({ token, most }: { readonly token: Token; readonly most: number }): JSX.Element {
  return token.inherit ? <span>{t('form.ownersScopes')}</span> : <Chips items={token.scopes} most={most} />
}

/** Scopes as chips: the first few, then how many more. */
export function Chips({ items, most = 2 }: { readonly items: readonly string[]; readonly most?: number }): JSX.Element {
  if (items.length === 0) return <span class="muted">{t('list.noScopes')}</span>
  const rest = items.slice(most)
  return (
    <span class="chips">
      {items.slice(0, most).map((item) => (
        <span class="chip" key={item} title={item}>
          {item}
        </span>
      ))}
      {rest.length > 0 && (
        <span class="chip more" title={rest.join('\n')}>
          +{rest.length}
          <span class="hidden"> {t('list.moreScopes', { count: rest.length })}</span>
        </span>
      )}
    </span>
  )
}
