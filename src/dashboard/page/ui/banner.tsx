import type { ComponentChildren, JSX } from 'preact'
import { Icon, type IconName } from './icons.js'

/** A notice above the content that it concerns. */
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
