import type { Fault } from './quirks.js'

/** Total attempts when other transactions interfere: a deadlock, a serialization failure, a locked file. */
const MOST_ATTEMPTS = 30
/** Total attempts of a read that a verification waits for, without pauses: its deadline is short, and it holds no lock that could block others. */
const MOST_READS = 5
const LONGEST_PAUSE_MS = 100
/** A connection that died while idle fails soon. If the failure takes longer, the work may have been done and the caller has timed out. */
const SAYS_SO_WITHIN_MS = 1_000

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits for at most a fifth of a second, longer with each attempt. */
export const pause = (attempt: number): Promise<void> => sleep(Math.min(2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random()))

/** Thrown by work with an unknown outcome, which must not be repeated. Its cause is rethrown. */
export class Unrepeatable extends Error {
  constructor(cause: unknown) {
    super('the outcome is unknown', { cause })
  }
}

type FaultOf = (error: unknown) => Fault

/** How work is retried. */
type Manner = {
  readonly most: number
  /** How long work that could not get a lock is retried. */
  readonly waitsMs: number
  rest(attempt: number): unknown
}

const PROMPT: Manner = { most: MOST_READS, waitsMs: 0, rest: () => undefined }
const PATIENT: Manner = { most: MOST_ATTEMPTS, waitsMs: 0, rest: pause }
/** Its callers wait this long, and only other work of this kind waits behind it. */
const LONG: Manner = { ...PATIENT, waitsMs: 60_000 }

const saidSoon = (began: number): boolean => performance.now() - began < SAYS_SO_WITHIN_MS

/** How long the statements that failed had taken. */
const taken: WeakMap<object, number> = new WeakMap()

/** Runs a statement of a transaction. If it fails, notes how long it took: the attempt may have waited longer for a connection than for a lock. */
export const timed = async <T>(statement: () => Promise<T>): Promise<T> => {
  const began = performance.now()
  try {
    return await statement()
  } catch (error) {
    if (typeof error === 'object' && error !== null) taken.set(error, performance.now() - began)
    throw error
  }
}

/**
 * Whether other transactions interfered with an attempt. After a long wait for a lock, another attempt would wait again, with the other transactions of this
 * process behind it.
 */
const isConflict = (fault: Fault, error: unknown, began: number): boolean =>
  fault === 'contention' || (fault === 'waited' && (taken.get(Object(error)) ?? performance.now() - began) < SAYS_SO_WITHIN_MS)

const repeat = async <T>(faultOf: FaultOf, { most, waitsMs, rest }: Manner, work: () => Promise<T>, lostBefore = false): Promise<T> => {
  let lost = lostBefore
  const began = performance.now()
  for (let attempt = 1; ; attempt += 1) {
    const attemptBegan = performance.now()
    try {
      return await work()
    } catch (error) {
      if (error instanceof Unrepeatable) throw error.cause
      const fault = faultOf(error)
      // A connection that died while idle fails at its next use, once.
      const idleOneDied = fault === 'connection' && !lost && saidSoon(began)
      const waitsOn = fault === 'waited' && performance.now() - began < waitsMs
      if (attempt === most || (!isConflict(fault, error, attemptBegan) && !idleOneDied && !waitsOn)) throw error
      if (fault === 'connection') lost = true
      else await rest(attempt)
    }
  }
}

/** Retries all of the work, with growing, randomized pauses, after a conflict or after an idle connection died. */
export const patiently = <T>(faultOf: FaultOf, work: () => Promise<T>): Promise<T> => repeat(faultOf, PATIENT, work)

/** Like `patiently`, for work that takes seconds and may wait for the locks of other transactions. */
export const persistently = <T>(faultOf: FaultOf, work: () => Promise<T>): Promise<T> => repeat(faultOf, LONG, work)

/** Like `patiently`, but without a pause and only a few times: for the read that a verification waits for. */
export const promptly = <T>(faultOf: FaultOf, work: () => Promise<T>): Promise<T> => repeat(faultOf, PROMPT, work)

/**
 * Like `patiently`, but one at a time while transactions conflict.
 *
 * Under serializable isolation, every transaction that waited for the feed's row fails when the row is free, so a hundred concurrent transactions would
 * conflict forever. Each process therefore queues its transactions, including new ones while the queue is not empty, and competes with one transaction at a
 * time.
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
      if (isConflict(fault, error, began)) return await behind(work)
      if (fault === 'connection' && saidSoon(began)) return await repeat(faultOf, PATIENT, work, true)
      throw error
    }
  }
}
