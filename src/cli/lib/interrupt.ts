import type { Lifetime } from './lifetime.js'

/** How a signal affects the process. */
export type Process = {
  exit(code: number): void
  /** Writes a sentence to `stderr` before it returns. */
  tell(sentence: string): void
}

/** How long the outcome of a creation may take after a signal, in milliseconds. A store call ends sooner, unless its deadline is longer. */
const LONGEST_WAIT_MS = 10_000
/** A terminal sends an interrupt to every process in the foreground, and `npx` also forwards the interrupt that it received to the command. */
const SAME_SIGNAL_MS = 500

/**
 * Creates the signal handler. Its argument is the exit code for the signal.
 *
 * The first signal closes the instance and ends the process. But if a token is being created, the command continues until the token or its ID has been shown,
 * because the user could not learn the ID later. A second signal ends the process immediately.
 */
export function createInterrupt(lifetime: Lifetime, { exit, tell }: Process): (code: number) => void {
  let firstAt: number | undefined
  return function interrupt(code) {
    const now = performance.now()
    const { unshown } = lifetime
    if (firstAt !== undefined) {
      if (now - firstAt < SAME_SIGNAL_MS) return
      if (unshown !== undefined) tell(unshown.sentence)
      return exit(code)
    }
    firstAt = now
    if (unshown === undefined) return void lifetime.end().finally(() => exit(code))
    tell('waiting to learn whether the token was created; send the signal again to stop now')
    setTimeout(() => {
      if (lifetime.unshown === undefined) return
      tell(lifetime.unshown.sentence)
      exit(lifetime.unshown.exitCode)
    }, LONGEST_WAIT_MS)
  }
}
