import type { JSX } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'

type Toast = { readonly text: string; readonly at: number }

const SHOWN_MS = 6000

let toast: Toast | undefined
let timer: ReturnType<typeof setTimeout> | undefined
/** The places for toasts, topmost last. A toast below a modal dialog would be neither seen nor announced. */
const places: (() => void)[] = []

function draw(): void {
  for (const place of places) place()
}

/** Shows briefly that something was done. */
export function say(text: string): void {
  clearTimeout(timer)
  toast = { text, at: Date.now() }
  timer = setTimeout(() => {
    toast = undefined
    draw()
  }, SHOWN_MS)
  draw()
}

/** A place for toasts: one on the page, and one in each dialog. */
export function Toasts(): JSX.Element {
  const [, setRound] = useState(0)
  const [place] = useState(() => () => setRound((round) => round + 1))
  useLayoutEffect(() => {
    places.push(place)
    draw()
    return () => {
      places.splice(places.indexOf(place), 1)
      draw()
    }
  }, [place])
  const shown = places.at(-1) === place ? toast : undefined
  return (
    <div class="toasts" role="status">
      {shown && (
        <p class="toast" key={shown.at}>
          {shown.text}
        </p>
      )}
    </div>
  )
}
