import type { JSX } from 'preact'
import { useState } from 'preact/hooks'

type Said = { readonly text: string; readonly round: number }

let show: (text: string) => void = () => {}

/** Announces changes to screen readers without moving the focus. */
export const announce = (text: string): void => show(text)

export function Announcer(): JSX.Element {
  const [said, setSaid] = useState<Said>({ text: '', round: 0 })
  show = (text) => setSaid(({ round }) => ({ text, round: round + 1 }))
  return (
    <div class="hidden" role="status" data-announcer>
      {/* A new node each time, because an unchanged text would not be announced, for example after loading the next page. */}
      <span key={said.round}>{said.text}</span>
    </div>
  )
}
