import type { ComponentChildren, JSX } from 'preact'
import { type Key, t } from '../lib/text.js'
import { Icon, type IconName } from './icons.js'

/** A placeholder for an empty list, or for content that could not be loaded: an icon, a title, an optional text and optional actions. */
export function Blank(props: {
  readonly icon: IconName
  readonly title: Key
  readonly text?: Key | undefined
  readonly detail?: ComponentChildren
  readonly tone?: 'danger' | undefined
  readonly alert?: boolean
  /** Whether the page shows nothing else, so that its title is the page's heading. */
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
