import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ago, exact } from '../lib/format.js'
import { standingOf, standingText } from '../lib/status.js'
import { type Key, t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Icon, type IconName } from './icons.js'

type ButtonProps = {
  readonly kind?: 'primary' | 'danger' | 'quiet' | 'danger-quiet' | 'plain'
  readonly icon?: IconName
  readonly busy?: boolean
  readonly disabled?: boolean
  readonly submit?: boolean
  readonly onClick?: () => void
  readonly children: ComponentChildren
}

export function Button({ kind = 'plain', icon, busy, disabled, submit, onClick, children }: ButtonProps): JSX.Element {
  return (
    <button type={submit ? 'submit' : 'button'} class={`button ${kind}`} disabled={disabled || busy} aria-busy={busy} onClick={onClick}>
      {busy ? <span class="spinner" /> : icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  )
}

/** How a token stands, in colour and in words. */
export function StatusBadge({ token }: { readonly token: Token }): JSX.Element {
  return (
    <span class={`badge ${standingOf(token)}`}>
      <span class="dot" />
      {standingText(token)}
    </span>
  )
}

/** A moment as people say it; the exact one in UTC is there on hover, and for machines. */
export function Ago({ at }: { readonly at: string }): JSX.Element {
  return (
    <time dateTime={at} title={exact(at)}>
      {ago(at)}
    </time>
  )
}

/** Scopes as chips: the first few, then how many more. */
export function Chips({ items, most = 2 }: { readonly items: readonly string[]; readonly most?: number }): JSX.Element {
  if (items.length === 0) return <span class="muted">{t('list.noScopes')}</span>
  const rest = items.slice(most)
  return (
    <span class="chips">
      {items.slice(0, most).map((item) => (
        <span class="chip" key={item}>
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

/** Copies a text, and says that it did. */
export function CopyButton(props: { readonly text: () => string; readonly label: string; readonly wide?: boolean }): JSX.Element {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = async (): Promise<void> => setCopied(await copyText(props.text()))
  return (
    <button
      type="button"
      class={props.wide ? 'button primary' : 'icon-button'}
      aria-label={props.wide ? undefined : props.label}
      title={props.wide ? undefined : props.label}
      onClick={copy}
    >
      <Icon name={copied ? 'check' : 'copy'} />
      {props.wide && <span>{copied ? t('action.copied') : props.label}</span>}
      <span class="hidden" role="status">
        {copied ? t('action.copied') : ''}
      </span>
    </button>
  )
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Without HTTPS there is no clipboard object; the old way goes through a selection.
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'hidden'
    const place = document.querySelector('dialog[open]') ?? document.body
    place.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.value = ''
    area.remove()
    return done
  }
}

/** A notice above what it is about. */
export function Banner(props: {
  readonly tone: 'info' | 'warn' | 'danger'
  readonly icon?: IconName
  readonly children: ComponentChildren
}): JSX.Element {
  return (
    <div class={`banner ${props.tone}`}>
      <Icon name={props.icon ?? (props.tone === 'info' ? 'info' : 'warn')} />
      <div>{props.children}</div>
    </div>
  )
}

/** A whole-page state: a picture, two lines and what to do. */
export function Blank(props: {
  readonly icon: IconName
  readonly title: Key
  readonly text?: Key
  readonly detail?: string
  readonly tone?: 'danger'
  readonly alert?: boolean
  /** Is it all that the page has? Then its title is the page's. */
  readonly main?: boolean | undefined
  readonly children?: ComponentChildren
}): JSX.Element {
  return (
    <div class={`blank ${props.tone ?? ''}`} role={props.alert ? 'alert' : undefined}>
      <span class="blank-icon">
        <Icon name={props.icon} />
      </span>
      {props.main ? <h1>{t(props.title)}</h1> : <h2>{t(props.title)}</h2>}
      {props.text && <p>{t(props.text)}</p>}
      {props.detail && <p>{props.detail}</p>}
      {props.children && <div class="blank-actions">{props.children}</div>}
    </div>
  )
}
