/** Says whether what would be lost may be lost. */
type Ask = () => Promise<boolean>

/** Unsaved inputs, the innermost last. */
const guards: Ask[] = []

const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

/** Keeps people from leaving unasked; the answer ends it. */
export function guard(ask: Ask): () => void {
  guards.push(ask)
  addEventListener('beforeunload', warn)
  return () => {
    const at = guards.indexOf(ask)
    if (at !== -1) guards.splice(at, 1)
    if (guards.length === 0) removeEventListener('beforeunload', warn)
  }
}

/** Would something be lost by leaving? */
export const stays = (): boolean => guards.length > 0

/** Asks about everything that would be lost by leaving, and lets go of it when the answer is yes. */
export async function mayLeave(): Promise<boolean> {
  for (let ask = guards.at(-1); ask !== undefined; ask = guards.at(-1)) {
    if (!(await ask())) return false
    guards.splice(guards.indexOf(ask), 1)
  }
  removeEventListener('beforeunload', warn)
  return true
}
