import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { t } from '../lib/text.js'
import { Icon } from './icons.js'

type Props = {
  readonly title: string
  readonly size?: 'small' | 'large'
  /** Absent: it cannot be left by Escape, nor by a cross. */
  readonly onClose?: (() => void) | undefined
  /** Runs when the browser closes it all the same. */
  readonly onForced?: () => void
  readonly onSubmit?: () => void
  readonly children: ComponentChildren
  readonly footer: ComponentChildren
}

/** Where the focus was before the first of a row of dialogs, each of which replaces the one before. */
let opener: HTMLElement | undefined

/** A native modal dialog. A click beside it does nothing: what was typed, or is shown once, would be lost. */
export function Dialog({ title, size = 'small', onClose, onForced, onSubmit, children, footer }: Props): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const { activeElement } = document
    if (activeElement instanceof HTMLElement && activeElement !== document.body) opener = activeElement
    dialog?.showModal()
    dialog?.querySelector<HTMLElement>('[data-first]')?.focus()
    return () => {
      dialog?.close()
      if (opener?.isConnected) opener.focus()
    }
  }, [])
  const leave = onClose ?? onForced
  return (
    <dialog
      ref={ref}
      class={`dialog ${size}`}
      aria-labelledby={id}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        event.stopPropagation()
        onClose?.()
      }}
      onCancel={(event) => event.preventDefault()}
      onClose={(event) => event.target === ref.current && leave?.()}
    >
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          onSubmit?.()
        }}
      >
        <header>
          <h2 id={id}>{title}</h2>
          {onClose && (
            <button type="button" class="icon-button" aria-label={t('action.close')} onClick={onClose}>
              <Icon name="close" />
            </button>
          )}
        </header>
        <section class="dialog-body" tabIndex={size === 'large' ? 0 : undefined} aria-labelledby={size === 'large' ? id : undefined}>
          {children}
        </section>
        <footer>{footer}</footer>
      </form>
    </dialog>
  )
}
