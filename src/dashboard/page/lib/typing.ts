const PAUSE_MS = 250

type Typing = { readonly end: () => void; readonly drop: () => void }

/** Text that was typed and is not handed on yet. */
const open = new Set<Typing>()

/** Hands text on when the typing pauses, or before a click leads elsewhere. Whoever goes back leaves it behind. Answers how to stop it. */
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

/** Takes what is being typed as it stands. */
export function endTyping(): void {
  for (const { end } of [...open]) end()
}

/** Leaves what is being typed behind. */
export function dropTyping(): void {
  for (const { drop } of [...open]) drop()
}
