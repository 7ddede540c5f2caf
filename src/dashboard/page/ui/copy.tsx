import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { t } from '../lib/text.js'
import { Icon } from './icons.js'

type Props = {
  readonly text: () => string
  readonly label: string
  readonly wide?: boolean
  readonly first?: boolean
  readonly onCopied?: () => void
  /** The element with the text, which is selected if copying fails. */
  readonly source?: () => Element | null | undefined
}

/** Copies text, and shows whether that succeeded. */
export function CopyButton({ text, label, wide, first, onCopied, source }: Props): JSX.Element {
  const [result, setResult] = useState<'copied' | 'failed' | undefined>()
  useEffect(() => {
    if (result !== 'copied') return
    const timer = setTimeout(() => setResult(undefined), 2000)
    return () => clearTimeout(timer)
  }, [result])
  const copy = async (): Promise<void> => {
    const done = await copyText(text())
    setResult(done ? 'copied' : 'failed')
    if (done) onCopied?.()
    else select(source?.())
  }
  // Text that is not on the page, and so cannot be selected, is shown.
  const failed = source === undefined ? t('action.copyFailedOf', { text: text() }) : t('action.copyFailed')
  const said = result === undefined ? '' : result === 'copied' ? t('action.copied') : failed
  return (
    <>
      <button
        type="button"
        class={wide ? 'button primary' : 'icon-button'}
        aria-label={wide ? undefined : label}
        title={wide ? undefined : label}
        data-first={first ? '' : undefined}
        onClick={copy}
      >
        <Icon name={result === 'copied' ? 'check' : result === 'failed' ? 'warn' : 'copy'} />
        {wide && <span>{result === 'copied' ? said : label}</span>}
      </button>
      <span class={result === 'failed' ? 'error copy-failed' : 'hidden'} role="status">
        {said}
      </span>
    </>
  )
}

/** Copies text, and returns whether that succeeded. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

// Without HTTPS there is no clipboard API. The older method copies the selection.
function copyBySelection(text: string): boolean {
  const before = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'hidden'
  const place = document.querySelector('dialog[open]') ?? document.body
  place.append(area)
  area.select()
  let done = false
  try {
    done = document.execCommand('copy')
  } catch {
    // A browser policy may forbid this, which is reported like any failure.
  }
  area.value = ''
  area.remove()
  if (before instanceof HTMLElement) before.focus()
  return done
}

function select(element: Element | null | undefined): void {
  if (element) getSelection()?.selectAllChildren(element)
}
