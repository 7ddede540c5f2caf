import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { type CallSite, callOut, DeadlineError, isThenable } from './deadline.js'
import type { FaultPlace } from './fault-places.js'
import type { StoreMethod } from './methods.js'
import type { MoveWatch } from './move-watch.js'
import type { MoveState } from './moving.js'
import type { TokenStore } from './port.js'
import type { Report } from './reporter.js'

/** How long setting up a store, and other work that may be large, may take. */
export const SETUP_DEADLINE_MS = 60_000

/** Calls the methods of a store: each within a deadline, after the store was set up, and never once it hangs while the instance closes. */
export class StoreCalls {
  readonly name: string
  protected readonly store: TokenStore
  protected readonly report: Report
  readonly #deadlineMs: number
  #ready: boolean
  #closing = false
  /** Did a call hang while the instance closed? */
  #hangs = false
  #setup: Promise<void> | undefined
  #onFirstUse: (() => void) | undefined
  /** Absent: the store knows no moves, or calls go on whatever they say. */
  protected readonly moves: MoveWatch | undefined
  /** Told of each call that goes out. What it answers is told when that has ended, and with which error. */
  watchCall: ((method: StoreMethod) => (error?: unknown) => void) | undefined

  constructor(store: TokenStore, deadlineMs: number, report: Report, moves: MoveWatch | undefined) {
    this.store = store
    this.moves = store.readMove === undefined ? undefined : moves
    this.#deadlineMs = deadlineMs
    this.report = report
    this.name = typeof store.name === 'string' && store.name !== '' ? store.name.slice(0, 40) : 'custom'
    this.#ready = store.migrate === undefined
  }

  /** Calls this once, when the store is used for the first time. */
  whenUsed(call: () => void): void {
    this.#onFirstUse = call
  }

  /** How far a move to or from another store has come, if there is one. */
  get move(): MoveState | undefined {
    return this.moves?.state
  }

  /** Was the store used? */
  get isUsed(): boolean {
    return this.#onFirstUse === undefined
  }

  /** Takes as long as the store takes: nobody waits for it, and a subscription that comes late is still one. A failure is the caller's to report. */
  async subscribe(wake: () => void, lost: (error: unknown) => void): Promise<() => MaybePromise<void>> {
    if (!this.#ready) await this.#prepare()
    const stop: unknown = await this.store.subscribe?.(wake, lost)
    if (typeof stop !== 'function') return () => undefined
    return () => callOut(this.#site('subscribe', this.#deadlineMs), () => stop(), ignored)
  }

  /** The object that was given, to count who shares it. */
  get origin(): TokenStore {
    return this.store
  }

  /** From now on a call that hangs is the last one. */
  beginClose(): void {
    this.#closing = true
  }

  async close(): Promise<void> {
    const closed = callOut(this.#site('close', this.#deadlineMs), () => this.store.close?.())
    if (this.#hangs) Promise.resolve(closed).catch(ignored)
    else await closed
  }

  // Only calls that began after the close: an earlier one says nothing of the store as it is now, and what it was to write is still to be written.
  readonly #heed: Report = (where, error) => {
    if (error instanceof DeadlineError) this.#hangs = true
    this.report(where, error)
  }

  // Management waits for the set-up as long as that takes; a verification waits for it only within its own deadline.
  protected async manage<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T, deadlineMs?: number): Promise<T> {
    if (!this.#ready) await this.#prepare()
    return await this.call(method, call, read, deadlineMs)
  }

  protected call<T>(
    method: StoreMethod,
    call: () => unknown,
    read: (answer: unknown) => T,
    deadlineMs: number = this.#deadlineMs,
  ): MaybePromise<T> {
    if (this.#hangs) throw new StoreUnavailableError(`the ${this.name} store hangs, and the instance is closing`)
    this.#onFirstUse?.()
    this.#onFirstUse = undefined
    const { moves } = this
    const admitted = moves === undefined ? call : () => moves.admit(method, call)
    const made = this.#ready ? admitted : () => this.#prepare().then(admitted)
    const go = (): MaybePromise<T> => callOut(this.#site(method, deadlineMs), made, read)
    return this.watchCall === undefined ? go() : watched(go, this.watchCall(method))
  }

  /** Asks a store that may be impossible to set up. */
  protected async askAnyway<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T): Promise<T> {
    return await callOut(this.#site(method, this.#deadlineMs), call, read)
  }

  /** Is the store set up within its deadline? Where it is not, that goes on all the same. */
  protected async isSetUpInTime(): Promise<boolean> {
    if (this.#ready) return true
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#deadlineMs)
    })
    const inTime = this.#prepare().then(() => true)
    inTime.catch(ignored)
    try {
      return await Promise.race([inTime, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #prepare(): Promise<void> {
    this.#setup ??= Promise.resolve(callOut(this.#site('migrate', SETUP_DEADLINE_MS), () => this.store.migrate?.())).then(
      () => {
        this.#ready = true
      },
      (error: unknown) => {
        this.#setup = undefined
        throw error
      },
    )
    return this.#setup
  }

  #site(method: StoreMethod, deadlineMs: number): CallSite {
    const where: FaultPlace = `store.${method}`
    return { what: `the ${this.name} store's ${method}()`, where, deadlineMs, report: this.#closing ? this.#heed : this.report }
  }

  protected rows(answer: unknown, method: string): readonly unknown[] {
    if (Array.isArray(answer)) return answer
    throw this.nonsense(method)
  }

  protected sound<T>(answer: T | undefined, method: string): T {
    if (answer !== undefined) return answer
    throw this.nonsense(method)
  }

  protected yesOrNo(answer: unknown, method: string): boolean {
    return this.sound(typeof answer === 'boolean' ? answer : undefined, method)
  }

  protected nonsense(method: string): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.name} store's ${method}() returned something that the store port does not allow`)
  }
}

function watched<T>(call: () => MaybePromise<T>, done: (error?: unknown) => void): MaybePromise<T> {
  const failed = (error: unknown): never => {
    done(error)
    throw error
  }
  try {
    const answer = call()
    if (isThenable(answer))
      return (answer as Promise<T>).then((value) => {
        done()
        return value
      }, failed)
    done()
    return answer
  } catch (error) {
    return failed(error)
  }
}

/** Takes whatever a store answers. */
export function ignored(): undefined {
  return undefined
}
