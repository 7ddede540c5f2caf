/** Says whether what would be lost may be lost. */
type Ask = () => Promise<boolean>

/** Unsaved inputs, the innermost last. */
const guards: Ask[] = []
/** What waits until nothing would be lost. */
const waiting = new Set<() => void>()
let dialogs = 0

const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

/** Keeps people from leaving unasked; the answer ends it. */
export function guard(ask: Ask): () => void {
  guards.push(ask)
  addEventListener('beforeunload', warn)
  return () => drop(ask)
}

function drop(ask: Ask): void {
  const at = guards.indexOf(ask)
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

/** Would something be lost by leaving? */
export const stays = (): boolean => guards.length > 0

/** Acts as soon as nothing would be lost by it, and no dialog is open. Answers how to give up. */
export function whenFree(act: () => void): () => void {
  waiting.add(act)
  goOn()
  return () => void waiting.delete(act)
}

/** Asks about everything that would be lost by leaving, and lets go of it when the answer is yes. */
export async function mayLeave(): Promise<boolean> {
  for (let ask = guards.at(-1); ask !== undefined; ask = guards.at(-1)) {
    if (!(await ask())) return false
    drop(ask)
  }
  return true
}
