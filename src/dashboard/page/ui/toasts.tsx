import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

type Toast = { readonly text: string; readonly at: number }

let show: (text: string) => void = () => {}

/** Says for a moment that something was done. */
export const say = (text: string): void => show(text)

export function Toasts(): JSX.Element {
  const [toast, setToast] = useState<Toast | undefined>()
  show = (text) => setToast({ text, at: Date.now() })
  useEffect(() => {
    if (toast === undefined) return
    const timer = setTimeout(() => setToast(undefined), 6000)
    return () => clearTimeout(timer)
  }, [toast])
  return (
    <div class="toasts" role="status">
      {toast && (
        <p class="toast" key={toast.at}>
          {toast.text}
        </p>
      )}
    </div>
  )
}
