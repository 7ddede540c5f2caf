import type { JSX } from 'preact'
import { useState } from 'preact/hooks'

let show: (text: string) => void = () => {}

/** Tells screen readers what changed on the page without a change of focus. */
export const announce = (text: string): void => show(text)

export function Announcer(): JSX.Element {
  const [text, setText] = useState('')
  show = setText
  return (
    <div class="hidden" role="status" data-announcer>
      {text}
    </div>
  )
}
