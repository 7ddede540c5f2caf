/** Asks whether unsaved input may be discarded. */
type Ask = () => Promise<boolean>

/** Unsaved inputs, the innermost last. `over`: the input is in an overlay, and the place below stays when the overlay closes. */
const guards: { readonly ask: Ask; readonly over: boolean }[] = []

/** Returns whether the current view is an overlay over another place. */
export const isOver = (state: unknown = history.state): boolean => Object(state).over === true
/** Actions that wait until they would lose no input. */
const waiting = new Set<() => void>()
let dialogs = 0

const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

/** Asks before the user leaves. The returned function ends this. */
export function guard(ask: Ask): () => void {
  guards.push({ ask, over: isOver() })
  addEventListener('beforeunload', warn)
  return () => drop(ask)
}

function drop(ask: Ask): void {
  const at = guards.findIndex((one) => one.ask === ask)
  if (at !== -1) guards.splice(at, 1)
  if (guards.length > 0) return
  removeEventListener('beforeunload', warn)
  setTimeout(goOn)
}

/** Registers an open dialog, whose content must not change under the user. Returns the function to call when it closes. */
export function holdOpen(): () => void {
  dialogs += 1
  return () => {
    dialogs -= 1
    // Another dialog may open right after this one.
    setTimeout(goOn)
  }
}

function goOn(): void {
  if (guards.length + dialogs > 0) return
  for (const act of [...waiting]) {
    waiting.delete(act)
    act()
  }
}

/** The part that the user is leaving: the place with its overlay, or only the overlay. */
export type Left = 'place' | 'over'

const lastOf = (left: Left) => guards.findLast(({ over }) => over || left === 'place')

/** Returns whether leaving would lose any input. */
export const stays = (left: Left): boolean => lastOf(left) !== undefined

/** Runs `act` once it would lose no input and no dialog is open. Returns a function that cancels it. */
export function whenFree(act: () => void): () => void {
  waiting.add(act)
  goOn()
  return () => void waiting.delete(act)
}

/** Asks the user about all input that leaving would lose, and discards it if the user agrees. */
export async function mayLeave(left: Left): Promise<boolean> {
  for (let last = lastOf(left); last !== undefined; last = lastOf(left)) {
    if (!(await last.ask())) return false
    drop(last.ask)
  }
  return true
}
