import type { Fault } from './quirks.js'

/** Times that work is begun in all, where others are in its way: a deadlock, a serialization failure, a locked file. */
const MOST_ATTEMPTS = 30
/** The same for a read that a verification waits for, which never pauses: its deadline is short, and it holds no lock that could be in a way. */
const MOST_READS = 5
const LONGEST_PAUSE_MS = 100
/** A connection that died while it was idle says so soon. One that says nothing for longer had work that may have been done, and a caller who has gone. */
const SAYS_SO_WITHIN_MS = 1_000

const pause = (attempt: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random())))

/** Thrown by work whose outcome is unknown: it must not be done again. Its cause is what comes out. */
export class Unrepeatable extends Error {
  constructor(cause: unknown) {
    super('the outcome is unknown', { cause })
  }
}

type FaultOf = (error: unknown) => Fault

/** How work is done again. */
type Manner = {
  readonly most: number
  rest(attempt: number): unknown
}

const PROMPT: Manner = { most: MOST_READS, rest: () => undefined }
const PATIENT: Manner = { most: MOST_ATTEMPTS, rest: pause }

const saidSoon = (began: number): boolean => performance.now() - began < SAYS_SO_WITHIN_MS

const repeat = async <T>(faultOf: FaultOf, { most, rest }: Manner, work: () => Promise<T>, lostBefore = false): Promise<T> => {
  let lost = lostBefore
  const began = performance.now()
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Unrepeatable) throw error.cause
      const fault = faultOf(error)
      // A connection that died while it was idle says so at its next use: once.
      const idleOneDied = fault === 'connection' && !lost && saidSoon(began)
      if (attempt === most || (fault !== 'contention' && !idleOneDied)) throw error
      if (fault === 'connection') lost = true
      else await rest(attempt)
    }
  }
}

/** Does all of the work again where others were in its way, after a pause that grows and is never twice the same, or where an idle connection had died. */
export const patiently = <T>(faultOf: FaultOf, work: () => Promise<T>): Promise<T> => repeat(faultOf, PATIENT, work)

/** As `patiently`, at once and a few times: for the read that a verification waits for. */
export const promptly = <T>(faultOf: FaultOf, work: () => Promise<T>): Promise<T> => repeat(faultOf, PROMPT, work)

/**
 * As `patiently`, one after another while work is in the way of other work.
 *
 * At serializable whoever waited for the row of the feed fails when it is free: a hundred that try at once would be in each other's way for
 * good. So those of one process queue, newcomers too while there is a queue, and only one of each process is left to be in the way of others.
 */
export const createQueue = (faultOf: FaultOf): (<T>(work: () => Promise<T>) => Promise<T>) => {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  const behind = async <T>(work: () => Promise<T>): Promise<T> => {
    waiting += 1
    const mine = last.then(() => patiently(faultOf, work))
    last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      waiting -= 1
    }
  }
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting > 0) return await behind(work)
    const began = performance.now()
    try {
      return await work()
    } catch (error) {
      if (error instanceof Unrepeatable) throw error.cause
      const fault = faultOf(error)
      if (fault === 'contention') return await behind(work)
      if (fault === 'connection' && saidSoon(began)) return await repeat(faultOf, PATIENT, work, true)
      throw error
    }
  }
}
