const PAUSE_MS = 250

type Typing = { readonly end: () => void; readonly drop: () => void }

/** Typed text that has not been passed on yet. */
const open = new Set<Typing>()

/** Passes typed text on when typing pauses or a click navigates away. Going back discards it. Returns a function that cancels both. */
export function whenPaused(handOn: () => void, leave: () => void): () => void {
  const stop = (): void => {
    clearTimeout(timer)
    open.delete(typing)
  }
  const then = (next: () => void) => (): void => {
    stop()
    next()
  }
  const typing = { end: then(handOn), drop: then(leave) }
  const timer = setTimeout(typing.end, PAUSE_MS)
  open.add(typing)
  return stop
}

/** Passes on the text being typed. */
export function endTyping(): void {
  for (const { end } of [...open]) end()
}

/** Discards what is being typed. */
export function dropTyping(): void {
  for (const { drop } of [...open]) drop()
}
