import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { holdOpen } from '../lib/guard.js'
import { useSingle } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import { focusMain } from './focus.js'
import { Icon } from './icons.js'
import { Toasts } from './toasts.js'

type Props = {
  readonly title: ComponentChildren
  /** `page`: as large as the window, for content that needs a whole page. */
  readonly size?: 'small' | 'large' | 'page'
  readonly role?: 'alertdialog'
  /** Called when Escape or the close button is pressed. It may ask before unsaved input is lost. */
  readonly onClose: () => void
  /** Whether there is a close button. @default true */
  readonly cross?: boolean
  /** Called when Enter is pressed in a field. Absent: only a button submits. */
  readonly onSubmit?: () => void
  /** Shown beside the dialog's content. If there is no room, `brief` is shown below the content, and opens it. */
  readonly aside?: { readonly label: string; readonly brief: ComponentChildren; readonly content: ComponentChildren }
  readonly children: ComponentChildren
  readonly footer: ComponentChildren
}

/**
 * A native modal dialog. The focus goes to an invalid field, to an element with `data-first`,
 * or else to the title, so that Enter does nothing by accident. A click outside
 * does nothing, because typed text, or a token that is shown once, would be lost.
 */
export function Dialog({ title, size = 'small', role, onClose, cross = true, onSubmit, aside, children, footer }: Props): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  const single = useSingle()
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
        // If Enter is held down in a field, it must not press the button of the dialog that follows.
        if (event.key === 'Enter' && event.repeat && !(event.target instanceof HTMLTextAreaElement)) event.preventDefault()
        if (event.key !== 'Escape') return
        event.preventDefault()
        event.stopPropagation()
        close.current()
      }}
      onCancel={(event) => event.preventDefault()}
      onClose={(event) => {
        // Browsers force a dialog to close on the second attempt, and some on a gesture. The dialog is then reopened, because only the `onClose` prop
        // closes it.
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
          {aside !== undefined && !single && (
            <section class="dialog-aside" tabIndex={size === 'page' ? 0 : undefined} aria-label={aside.label}>
              <p class="sub">{aside.label}</p>
              {aside.content}
            </section>
          )}
        </div>
        {aside !== undefined && single && (
          <details class="dialog-brief">
            <summary>
              {aside.label}: {aside.brief}
            </summary>
            {aside.content}
          </details>
        )}
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

// The opener may be gone, with the row or bar that contained it.
function returnFocus(opener: HTMLElement | undefined): void {
  if (opener?.isConnected) opener.focus()
  if (opener === undefined || document.activeElement !== opener) focusMain()
}
