import type { CompiledQuery } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import type { StoredToken } from '../../../../src/model/record.js'
import type { StoreDiagnosis, StoreFinding } from '../../../../src/store/diagnosis.js'
import type { ReadAge } from '../../../../src/store/port.js'
import { finding } from '../../lib/findings.js'
import { type Position, positionOf } from '../queries/feed-position.js'
import { compileReplicaRead, type ReplicaAnswer, readReplica } from '../queries/read-replica.js'
import type { Names } from '../schema/table-names.js'
import type { OpenStore } from '../store.js'
import { postgresQuirks } from './postgres-quirks.js'

/** Sends a query to the replica. */
export type ReplicaAsk = (query: CompiledQuery) => Promise<readonly unknown[]>

type Connection = { readonly ask: ReplicaAsk; close(): Promise<void> }

/** How long a replica may take, in milliseconds: well within the deadline of a verification, which then still has time for the primary. */
const ANSWER_MS = 200
const DIAGNOSIS_MS = 1_000
/** The shortest and the longest time for which the replica is skipped after a failure, in milliseconds. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** The number of consecutive failures before a fault is reported. Lag needs more, because a replica briefly lags after every change. */
const FAILED_IN_A_ROW = 2
const BEHIND_IN_A_ROW = 8

const MESSAGES = {
  behind: 'it lags behind the primary, or its history has diverged since a failover',
  other: 'it contains a different database, or no latchkey tables',
} as const

/** Settles like the work, or fails after a time limit. */
const within = async <T>(ms: number, work: Promise<T>): Promise<T> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const unfit = (why: keyof typeof MESSAGES): StoreUnavailableError =>
  new StoreUnavailableError(`postgres store: the replica is not used: ${MESSAGES[why]}`)

/** A replica for reads that may be as old as a feed position. If anything is wrong with it, the primary answers. */
export class Replica {
  readonly #open: () => Promise<Connection>
  readonly #describe: (error: unknown) => Error
  readonly #compile: ReturnType<typeof compileReplicaRead>
  #connection: Promise<Connection> | undefined
  #failures = 0
  #passedOverUntil = Number.NEGATIVE_INFINITY
  #told = false

  constructor(names: Names, open: () => Promise<Connection>, describe: (error: unknown) => Error) {
    this.#open = open
    this.#describe = describe
    this.#compile = compileReplicaRead(postgresQuirks, names)
  }

  /** Returns the records from the replica that can be trusted. A missing record does not prove that the token does not exist. */
  async find(
    ids: readonly string[],
    { notBefore, onFault }: ReadAge,
    identity: () => Promise<string | undefined>,
  ): Promise<readonly StoredToken[]> {
    const after = positionOf(notBefore)
    const now = performance.now()
    if (after === undefined || now < this.#passedOverUntil) return []
    // After a failure, only one read at a time tests whether the replica works again.
    if (this.#failures > 0) this.#passOver(now)
    try {
      const answer = await within(ANSWER_MS, this.#ask(ids, after, identity))
      if (!('unfit' in answer)) {
        this.#failures = 0
        this.#passedOverUntil = Number.NEGATIVE_INFINITY
        this.#told = false
        return answer.records
      }
      this.#failed(answer.unfit === 'behind' ? BEHIND_IN_A_ROW : FAILED_IN_A_ROW, unfit(answer.unfit), onFault)
    } catch (error) {
      this.#failed(FAILED_IN_A_ROW, error, onFault)
    }
    return []
  }

  /** Diagnoses the replica, including how many feed entries it lags behind. */
  async diagnose(primary: Position | undefined, identity: () => Promise<string | undefined>): Promise<StoreFinding> {
    const advice =
      'Set the read option to a standby of this primary, and check replication; until then, every cache miss reads the primary.'
    try {
      const rows = await within(DIAGNOSIS_MS, this.#send(['-'], { run: '', at: 0 }))
      const row = Object(rows[0]) as { readonly feed_head?: unknown; readonly feed_run?: unknown; readonly feed_identity?: unknown }
      if (row.feed_identity !== (await identity())) return finding('replica', '', { says: MESSAGES.other, advice })
      const behind = (primary?.at ?? 0) - Number(row.feed_head)
      const words = behind > 0 ? `${behind} feed entries behind the primary` : 'up to date with the primary'
      const other = primary !== undefined && row.feed_run !== primary.run && behind <= 0
      return finding('replica', words, other && { says: MESSAGES.behind, advice })
    } catch (error) {
      return finding('replica', '', { says: this.#describe(error).message, advice })
    }
  }

  async close(): Promise<void> {
    const closing = this.#connection
    this.#connection = undefined
    const connection = await closing?.catch(() => undefined)
    await connection?.close()
  }

  async #ask(ids: readonly string[], after: Position, identity: () => Promise<string | undefined>): Promise<ReplicaAnswer> {
    const [rows, known] = await Promise.all([this.#send(ids, after), identity()])
    return readReplica(rows, known, after)
  }

  async #send(ids: readonly string[], after: Position): Promise<readonly unknown[]> {
    this.#connection ??= this.#open()
    const opening = this.#connection
    try {
      const { ask } = await opening
      return await ask(this.#compile(ids, after))
    } catch (error) {
      // If opening failed, the next call opens it again.
      opening.catch(() => {
        if (this.#connection === opening) this.#connection = undefined
      })
      throw error
    }
  }

  #failed(tellAt: number, error: unknown, onFault: ReadAge['onFault']): void {
    this.#failures += 1
    this.#passOver(performance.now())
    if (this.#told || this.#failures < tellAt) return
    this.#told = true
    onFault?.(this.#describe(error))
  }

  #passOver(now: number): void {
    this.#passedOverUntil = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 20))
  }
}

/** Creates a store that first queries a replica for reads that may be stale, and then the primary for the missing records. */
export const readThrough = (store: OpenStore, replica: Replica, identity: () => Promise<string | undefined>): OpenStore => ({
  ...store,
  async find(ids, age) {
    if (age === undefined) return await store.find(ids)
    const found = await replica.find(ids, age, identity)
    if (found.length === 0) return await store.find(ids)
    const known = new Set(found.map(({ id }) => id))
    const rest = ids.filter((id) => !known.has(id))
    return rest.length === 0 ? found : [...found, ...(await store.find(rest))]
  },
  async diagnose(): Promise<StoreDiagnosis> {
    const diagnosis = await store.diagnose()
    const primary = await Promise.resolve(store.changes(undefined, 1)).then(
      ({ cursor }) => positionOf(cursor),
      () => undefined,
    )
    return { ...diagnosis, findings: [...diagnosis.findings, await replica.diagnose(primary, identity)] }
  },
  async close() {
    await Promise.all([store.close(), replica.close()])
  },
})
