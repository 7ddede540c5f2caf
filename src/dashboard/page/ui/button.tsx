import type { ComponentChildren, JSX } from 'preact'
import { Icon, type IconName } from './icons.js'

type Props = {
  readonly kind?: 'primary' | 'danger' | 'quiet' | 'danger-quiet' | 'plain'
  readonly icon?: IconName
  readonly busy?: boolean | undefined
  readonly disabled?: boolean
  readonly submit?: boolean
  /** Whether a dialog moves focus to this button when the dialog opens. */
  readonly first?: boolean
  readonly onClick?: () => void
  readonly children: ComponentChildren
}

export function Button({ kind = 'plain', icon, busy, disabled, submit, first, onClick, children }: Props): JSX.Element {
  return (
    <button
      type={submit ? 'submit' : 'button'}
      class={`button ${kind}`}
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy}
      data-first={first ? '' : undefined}
      // A busy button keeps the focus, whereas a disabled one would lose it.
      onClick={(event) => (busy ? event.preventDefault() : onClick?.())}
    >
      {busy ? <span class="spinner" /> : icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  )
}
