import { ClosedError, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { ownFieldsWithin } from '../model/own-fields.js'
import { type Allowance, apart, type CallSite, callOut, DeadlineError } from './deadline.js'
import { type Deferred, deferred } from './deferred.js'
import { newFault } from './describe-fault.js'
import type { FaultPlace } from './fault-places.js'
import type { StoreMethod } from './methods.js'
import type { MoveWatch } from './move-watch.js'
import { passOwnFields } from './pass-own-fields.js'
import type { TokenStore } from './port.js'
import type { Report } from './reporter.js'
import { watched } from './watched.js'

/** The deadline for setting up a store, and for other potentially large operations. */
export const SETUP_DEADLINE_MS = 60_000

/** A list of events, each with the objects in its fields. */
const ANSWER_DEPTH = 3

/** Notes the answer of a store, which may settle long after its caller has stopped waiting. Returns the answer to use instead. */
export type Track = (answer: unknown) => unknown

/** Runs calls of these methods when it is their actor's turn. */
export type Turns = {
  readonly methods: ReadonlySet<StoreMethod>
  run<T>(method: StoreMethod, leftMs: number | undefined, call: (track: Track) => MaybePromise<T>): Promise<T>
}

/** The state of the store, shared by all callers. */
type StoreState = {
  ready: boolean
  closing: boolean
  /** Whether a call has hung while the instance was closing. */
  hangs: boolean
  ended: boolean
  setup: Promise<void> | undefined
  /** Ends the setup, one deadline after the instance began to close. */
  readonly giveUp: Deferred<never>
  patience: ReturnType<typeof setTimeout> | undefined
  onFirstUse: (() => void) | undefined
}

/** Calls the methods of a store, each with a deadline and after the store is set up. Makes no more calls once the store hangs while the instance is closing. */
export class StoreCalls {
  readonly name: string
  /** The store object from the options, used to count the instances that share it. */
  readonly origin: TokenStore
  protected readonly store: TokenStore
  protected readonly report: Report
  private readonly deadlineMs: number
  private readonly state: StoreState
  /** Absent: each call has a separate deadline. */
  private readonly allowance: Allowance | undefined
  /** Absent: the work is short. */
  private readonly turn: (() => Promise<void>) | undefined
  /** Absent: calls do not wait for other callers' calls. */
  private readonly turns: Turns | undefined
  /** Absent: the store does not support moves, or a move does not restrict these calls. */
  protected readonly moves: MoveWatch | undefined
  /** Called for each outgoing call. The function that it returns is called when that call ends, with its error, if any. */
  watchCall: ((method: StoreMethod) => (error?: unknown) => void) | undefined

  constructor(store: TokenStore, deadlineMs: number, report: Report, moves: MoveWatch | undefined) {
    this.origin = store
    this.store = passOwnFields(store)
    this.moves = store.readMove === undefined ? undefined : moves
    this.deadlineMs = deadlineMs
    this.report = report
    this.name = typeof store.name === 'string' && store.name !== '' ? store.name.slice(0, 40) : 'custom'
    this.state = {
      ready: store.migrate === undefined,
      closing: false,
      hangs: false,
      ended: false,
      setup: undefined,
      giveUp: deferred(),
      patience: undefined,
      onFirstUse: undefined,
    }
    this.state.giveUp.promise.catch(ignored)
  }

  /** Returns the same store with calls that share one deadline, if any. No call starts once it has passed. */
  sharing(allowance: Allowance | undefined): this {
    return Object.assign(Object.create(this), { allowance })
  }

  /** Returns the same store for long work. Each call to the store first waits for `turn`, which yields to other work when its turn is over. */
  givingWay(turn: () => Promise<void>): this {
    return Object.assign(Object.create(this), { turn })
  }

  /** Returns the same store for calls by an actor, which take turns with those of other actors. */
  takingTurns(turns: Turns): this {
    return Object.assign(Object.create(this), { turns })
  }

  /** Sets a callback for the first use of the store. */
  whenUsed(call: () => void): void {
    this.state.onFirstUse = call
  }

  /** The state of a move to or from another store, if there is one. */
  get move(): MoveWatch['state'] {
    return this.moves?.state
  }

  /** Whether the store has been used. */
  get isUsed(): boolean {
    return this.state.onFirstUse === undefined
  }

  /** Whether calls first wait for the setup of the store, without a time limit. */
  get mustSetUp(): boolean {
    return !this.state.ready && this.allowance?.coversSetUp !== true
  }

  /** Sets the store up. This does not count against a deadline, unless the instance is closing. */
  async setUp(): Promise<void> {
    await apart(this.allowance, () => this.prepare())
  }

  /** Has no deadline: no caller waits for it, and a late subscription still works. The caller reports failures. */
  async subscribe(wake: () => void, lost: (error: unknown) => void): Promise<() => MaybePromise<void>> {
    this.refuseEnded()
    if (!this.state.ready) await this.prepare()
    const site = { ...this.site('subscribe', Number.POSITIVE_INFINITY), report: ignored }
    const stop: unknown = await callOut(site, () => this.store.subscribe?.(wake, (error) => lost(newFault(error))))
    if (typeof stop !== 'function') return () => undefined
    return () => callOut(this.site('subscribe', this.deadlineMs), () => stop(), ignored)
  }

  /** Returns `false` if the store cannot compare the two. */
  reached(cursor: string, target: string): boolean {
    try {
      return this.store.reached(cursor, target) === true
    } catch (error) {
      this.report('store.reached', newFault(error))
      return false
    }
  }

  /** Marks the instance as closing: once a call or the setup hangs, no more calls are made. */
  beginClose(): void {
    const { state } = this
    state.closing = true
    if (state.ready || state.patience !== undefined) return
    state.patience = setTimeout(() => {
      if (state.ready) return
      state.hangs = true
      state.giveUp.reject(this.hanging())
    }, this.deadlineMs)
  }

  /** Refuses every later call, because it would reopen the store of a closed instance. */
  end(): void {
    this.state.ended = true
    clearTimeout(this.state.patience)
  }

  async close(): Promise<void> {
    const closed = callOut(this.site('close', this.deadlineMs), () => this.store.close?.())
    if (this.state.hangs) Promise.resolve(closed).catch(ignored)
    else await closed
  }

  // Counts only calls that began after the close. An earlier timeout says nothing about the store's current state, and its data still has to be written.
  private readonly heed: Report = (where, error) => {
    if (error instanceof DeadlineError && !error.partial) this.state.hangs = true
    this.report(where, error)
  }

  // Verbs wait for the setup without a limit, unless their deadline covers it, as it does for HTTP requests. A verification waits only within its deadline.
  protected async manage<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T, deadlineMs?: number): Promise<T> {
    this.refuseEnded()
    const { allowance, turn, turns } = this
    if (turn !== undefined) await turn()
    if (this.mustSetUp) await this.setUp()
    if (deadlineMs === undefined) {
      if (turns?.methods.has(method) !== true) return await this.call(method, call, read)
      // The call holds its slot until the store is done, even if its caller stops waiting.
      return await turns.run(method, allowance?.leftMs, (track) => this.call(method, () => track(call()), read, this.deadlineMs))
    }
    return await apart(allowance, async () => this.call(method, call, read, deadlineMs))
  }

  protected call<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T, ownDeadlineMs?: number): MaybePromise<T> {
    this.refuseEnded()
    if (this.state.hangs) throw this.hanging()
    this.state.onFirstUse?.()
    this.state.onFirstUse = undefined
    const { moves } = this
    const admitted = moves === undefined ? call : () => moves.admit(method, call)
    const made = this.state.ready ? admitted : () => this.prepare().then(admitted)
    const site = this.site(method, ownDeadlineMs ?? this.deadlineMs)
    const left = ownDeadlineMs === undefined ? this.allowance?.leftMs : undefined
    // The records that these two return are copied one by one, when they are checked.
    const readOwn = method === 'find' || method === 'list' ? read : (answer: unknown): T => read(ownFieldsWithin(answer, ANSWER_DEPTH))
    const go = (): MaybePromise<T> =>
      callOut(left !== undefined && left < this.deadlineMs ? { ...site, leftMs: left } : site, made, readOwn)
    return this.watchCall === undefined ? go() : watched(go, this.watchCall(method))
  }

  /** Makes a call with the whole deadline. A caller that has less time left stops waiting earlier, and the call continues without it. */
  protected leaveEarly<T>(method: StoreMethod, call: (deadlineMs: number) => MaybePromise<T>): MaybePromise<T> {
    const { deadlineMs } = this
    const leftMs = this.allowance?.leftMs ?? deadlineMs
    if (leftMs >= deadlineMs) return call(deadlineMs)
    // The call reports its own failures.
    const report: Report = (where, error) => {
      if (error instanceof DeadlineError && error.partial) this.report(where, error)
    }
    return callOut({ ...this.site(method, deadlineMs), leftMs, report }, () => call(deadlineMs))
  }

  /** Makes a call even if the store cannot be set up. */
  protected async askAnyway<T>(method: StoreMethod, call: () => unknown, read: (answer: unknown) => T): Promise<T> {
    this.refuseEnded()
    return await callOut(this.site(method, this.deadlineMs), call, read)
  }

  /** Returns whether the setup of the store finishes within the deadline. If not, it continues in the background. */
  protected async isSetUpInTime(): Promise<boolean> {
    this.refuseEnded()
    if (this.state.ready) return true
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.deadlineMs)
    })
    const inTime = this.prepare().then(() => true)
    inTime.catch(ignored)
    try {
      return await Promise.race([inTime, late])
    } finally {
      clearTimeout(timer)
    }
  }

  private hanging(): StoreUnavailableError {
    return new StoreUnavailableError(`the ${this.name} store hangs, and the instance is closing`)
  }

  private refuseEnded(): void {
    if (this.state.ended) throw new ClosedError()
  }

  private async migrate(): Promise<unknown> {
    const { hangs, giveUp } = this.state
    return hangs ? await giveUp.promise : await Promise.race([this.store.migrate?.(), giveUp.promise])
  }

  private prepare(): Promise<void> {
    this.state.setup ??= Promise.resolve(callOut(this.site('migrate', SETUP_DEADLINE_MS), () => this.migrate())).then(
      () => {
        this.state.ready = true
      },
      (error: unknown) => {
        this.state.setup = undefined
        throw error
      },
    )
    return this.state.setup
  }

  private site(method: StoreMethod, deadlineMs: number): CallSite {
    const where: FaultPlace = `store.${method}`
    return { what: `the ${this.name} store's ${method}()`, where, deadlineMs, report: this.state.closing ? this.heed : this.report }
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
    return new StoreUnavailableError(`the ${this.name} store's ${method}() returned something that the TokenStore interface does not allow`)
  }
}

/** Ignores the result of a store. */
export function ignored(): undefined {
  return undefined
}
