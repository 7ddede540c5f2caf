import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { holdOpen } from '../lib/guard.js'
import { t } from '../lib/text.js'
import { focusMain } from './focus.js'
import { Icon } from './icons.js'
import { Toasts } from './toasts.js'

type Props = {
  readonly title: ComponentChildren
  /** `page`: as large as the window, for what is a page of its own. */
  readonly size?: 'small' | 'large' | 'page'
  readonly role?: 'alertdialog'
  /** Escape and the cross. Whoever would lose something asks there. */
  readonly onClose: () => void
  /** Is there a cross? @default true */
  readonly cross?: boolean
  /** Enter in a field. Absent: only a button decides. */
  readonly onSubmit?: () => void
  /** Stands beside the rest, where there is room. */
  readonly aside?: { readonly label: string; readonly content: ComponentChildren }
  readonly children: ComponentChildren
  readonly footer: ComponentChildren
}

/**
 * A native modal dialog. The focus goes to a field that is wrong, to what has `data-first`,
 * else to the title, so that Enter does nothing by accident. A click beside
 * it does nothing: what was typed, or is shown once, would be lost.
 */
export function Dialog({ title, size = 'small', role, onClose, cross = true, onSubmit, aside, children, footer }: Props): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  const close = useRef(onClose)
  close.current = onClose
  useEffect(() => {
    const dialog = ref.current
    const { activeElement } = document
    const opener = activeElement instanceof HTMLElement && activeElement !== document.body ? activeElement : undefined
    const release = holdOpen()
    dialog?.showModal()
    focusFirst(dialog)
    return () => {
      release()
      dialog?.close()
      if (document.querySelector('dialog[open]') === null || opener?.closest('dialog[open]')) returnFocus(opener)
    }
  }, [])
  return (
    <dialog
      ref={ref}
      role={role}
      class={`dialog ${size}`}
      aria-labelledby={id}
      onKeyDown={(event) => {
        // Held in a field, Enter would go on to press the button of the dialog that follows.
        if (event.key === 'Enter' && event.repeat && !(event.target instanceof HTMLTextAreaElement)) event.preventDefault()
        if (event.key !== 'Escape') return
        event.preventDefault()
        event.stopPropagation()
        close.current()
      }}
      onCancel={(event) => event.preventDefault()}
      onClose={(event) => {
        // Browsers close a dialog by force when asked twice, and some by a gesture: it is for us to say.
        const dialog = ref.current
        if (event.target !== dialog || !dialog?.isConnected || dialog.open) return
        dialog.showModal()
        close.current()
      }}
    >
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          onSubmit?.()
        }}
      >
        <header>
          <h2 id={id} tabIndex={-1}>
            {title}
          </h2>
          {cross && (
            <button type="button" class="icon-button" aria-label={t('action.close')} onClick={onClose}>
              <Icon name="close" />
            </button>
          )}
        </header>
        <div class="dialog-middle">
          <section class="dialog-body" tabIndex={size === 'small' ? undefined : 0} aria-labelledby={size === 'small' ? undefined : id}>
            {children}
          </section>
          {aside !== undefined && (
            <section class="dialog-aside" tabIndex={size === 'page' ? 0 : undefined} aria-label={aside.label}>
              <p class="sub">{aside.label}</p>
              {aside.content}
            </section>
          )}
        </div>
        <footer>{footer}</footer>
      </form>
      <Toasts />
    </dialog>
  )
}

function focusFirst(dialog: HTMLElement | null): void {
  const find = (selector: string): HTMLElement | null | undefined => dialog?.querySelector<HTMLElement>(selector)
  const first = find('[aria-invalid="true"], [data-wrong]') ?? find('[data-first]') ?? find('h2')
  first?.focus()
}

// The opener may be gone, with the row or the bar that it stood in.
function returnFocus(opener: HTMLElement | undefined): void {
  if (opener?.isConnected) opener.focus()
  if (opener === undefined || document.activeElement !== opener) focusMain()
}
