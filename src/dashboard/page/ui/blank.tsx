import type { ComponentChildren, JSX } from 'preact'
import { type Key, t } from '../lib/text.js'
import { Icon, type IconName } from './icons.js'

/** A whole-page state: a picture, two lines and what to do. */
export function Blank(props: {
  readonly icon: IconName
  readonly title: Key
  readonly text?: Key | undefined
  readonly detail?: ComponentChildren
  readonly tone?: 'danger' | undefined
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
      {props.main ? <h1 tabIndex={-1}>{t(props.title)}</h1> : <h2>{t(props.title)}</h2>}
      {props.text && <p>{t(props.text)}</p>}
      {props.detail && <p>{props.detail}</p>}
      {props.children && <div class="blank-actions">{props.children}</div>}
    </div>
  )
}
