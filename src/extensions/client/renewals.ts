import { asClientError, ClientError } from './client-error.js'
import { NEVER } from './due.js'
import type { Settings } from './options.js'
import { sleep, within } from './wait.js'

/** Rotates the token if that is due or `forced`, and resolves when the successor is saved. `doubtful` is called for each failure to save it. */
export type Renew = (forced: boolean, doubtful: (error: unknown) => void) => Promise<void>

/** Starts rotations one after another, and retries them. */
export type Renewals = {
  /** When to check next whether a rotation is due, on the monotonic clock. */
  lookAt: number
  /** Starts a check if it is due. Waits for the check only from `lateAt` on. */
  look(lateAt: number): Promise<void>
  /** Rotates once the state is known. Joins a rotation in progress, but not a check of whether one is due. `ready` returns whether one is in progress. */
  force(ready: () => Promise<boolean>): Promise<void>
  settled(): Promise<void>
}

/** A rotation in progress, or a check of whether a rotation is due. It may continue after its outcome is known, while a successor cannot be saved. */
type Renewal = { readonly outcome: Promise<void>; readonly isForced: boolean }

/** Settings may change in the meantime, so a date far in the future is checked again. */
export const MAX_LOOK_MS = 3_600_000
export const MIN_PAUSE_MS = 1000
const MAX_BACKOFF_MS = 300_000
/** For how many deadlines `settled` checks whether a failed rotation has finished, ten times in each. */
const PATIENCE = 3

const quiet = (): undefined => undefined

/** `isLosable` returns whether only this process can finish a rotation that has begun. */
export function createRenewals({ report, deadlineMs }: Settings, renew: Renew, isLosable: () => Promise<boolean>): Renewals {
  let renewal: Renewal | undefined
  let failures = 0
  /** The last failure, until a rotation succeeds. */
  let failure: ClientError | undefined
  /** Whether the server may have rotated the token even though no response said so. A later refusal does not show that it has not. */
  let mayHaveRotated = false
  /** The calls to `force` that have not finished. */
  const forced: Set<Promise<void>> = new Set()

  function fail(error: unknown): ClientError {
    failure = asClientError(error)
    // A server that refused has not rotated the token. Otherwise it may have.
    if ((failure.status ?? 500) > 428) mayHaveRotated = true
    report(failure)
    return failure
  }

  async function run(isForced: boolean, doubtful: (error: unknown) => void): Promise<void> {
    try {
      await renew(isForced, doubtful)
      failures = 0
      failure = undefined
      mayHaveRotated = false
    } catch (error) {
      const { code, retryAfterSeconds = 0 } = fail(error)
      // A refusal stays in effect until a person changes something.
      const mostMs = code === 'rotation_refused' ? MAX_LOOK_MS : Math.min(MIN_PAUSE_MS * 2 ** failures, MAX_BACKOFF_MS)
      const backoffMs = mostMs * (0.75 + Math.random() / 4)
      failures += 1
      renewals.lookAt = performance.now() + Math.max(backoffMs, retryAfterSeconds * 1000)
      throw failure
    } finally {
      renewal = undefined
    }
  }

  function start(isForced: boolean): Promise<void> {
    if (renewal !== undefined) return renewal.outcome
    const outcome = new Promise<void>((resolve, reject) => {
      run(isForced, (error) => reject(fail(error))).then(resolve, reject)
    })
    // `report` receives the error, and so does any caller that awaits the rotation.
    outcome.catch(quiet)
    renewal = { outcome, isForced }
    return outcome
  }

  async function forceWhen(ready: () => Promise<boolean>): Promise<void> {
    const isRotating = await ready()
    if (renewal !== undefined && !renewal.isForced && !isRotating) await renewal.outcome.catch(quiet)
    return start(true)
  }

  const renewals: Renewals = {
    lookAt: 0,
    async look(lateAt) {
      const now = performance.now()
      if (now < renewals.lookAt) return
      const isLate = now >= lateAt && failures === 0
      const outcome = start(false)
      if (isLate) await within(deadlineMs, outcome).catch(quiet)
    },
    async force(ready) {
      const rotated = forceWhen(ready)
      forced.add(rotated)
      try {
        await rotated
      } finally {
        forced.delete(rotated)
      }
    },
    async settled() {
      let last: Renewal | undefined
      // After a check or a rotation, another rotation may follow.
      while (forced.size > 0 || (renewal !== undefined && renewal !== last)) {
        last = renewal
        await Promise.allSettled([...forced, renewal?.outcome])
      }
      const until = performance.now() + PATIENCE * deadlineMs
      while (failure !== undefined && (renewal !== undefined || (mayHaveRotated && (await isLosable())))) {
        if (performance.now() > until) throw new ClientError(failure.code, `the token may be lost: ${failure.message}`)
        await renewals.look(NEVER)
        await sleep(deadlineMs / 10, true)
      }
    },
  }
  return renewals
}
