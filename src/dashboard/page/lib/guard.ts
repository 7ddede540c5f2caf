/** Says whether what would be lost may be lost. */
type Ask = () => Promise<boolean>

/** Unsaved inputs, the innermost last; `over`: of what lies over a place, which stays when that closes. */
const guards: { readonly ask: Ask; readonly over: boolean }[] = []

/** Does what is shown lie over another place? */
export const isOver = (state: unknown = history.state): boolean => Object(state).over === true
/** What waits until nothing would be lost. */
const waiting = new Set<() => void>()
let dialogs = 0

const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

/** Keeps people from leaving unasked; the answer ends it. */
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

/** Says that a dialog is open: what it shows is not to go away under its reader. Answers how to say that it closed. */
export function holdOpen(): () => void {
  dialogs += 1
  return () => {
    dialogs -= 1
    // One dialog may hand over to the next.
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

/** What is left: the place with what lies over it, or only that. */
export type Left = 'place' | 'over'

const lastOf = (left: Left) => guards.findLast(({ over }) => over || left === 'place')

/** Would something be lost by leaving? */
export const stays = (left: Left): boolean => lastOf(left) !== undefined

/** Acts as soon as nothing would be lost by it, and no dialog is open. Answers how to give up. */
export function whenFree(act: () => void): () => void {
  waiting.add(act)
  goOn()
  return () => void waiting.delete(act)
}

/** Asks about everything that would be lost by leaving, and lets go of it when the answer is yes. */
export async function mayLeave(left: Left): Promise<boolean> {
  for (let last = lastOf(left); last !== undefined; last = lastOf(left)) {
    if (!(await last.ask())) return false
    drop(last.ask)
  }
  return true
}
