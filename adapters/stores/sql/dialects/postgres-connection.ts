import { CompiledQuery } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { isThenable } from '../../../../src/store/deadline.js'
import { askRaw, driveAsync, type Steps } from '../engine.js'
import { type Shares, sharesOf } from '../in-turn.js'
import { differencesOf, KNOWN, refuseDifferences } from '../known-values.js'
import { type Lineage, ReplacedError } from '../queries/lineage.js'
import type { Names } from '../schema/table-names.js'
import { BRIEF_MS, Silence } from '../silence.js'
import { postgresQuirks } from './postgres-quirks.js'

type Parser = (value: unknown) => unknown

/** A query in the form that `pg` accepts. */
export type PostgresQuery = {
  readonly text: string
  readonly values: readonly unknown[]
  readonly name?: string
  readonly types?: { getTypeParser(oid: number, format?: string): Parser }
}

/** A client from a `pg` pool. */
export type PostgresClient = {
  query(config: never): Promise<unknown>
  on(event: 'error', listener: () => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
  release(destroy?: boolean | Error): void
  /** `T` or `E` in a transaction. Missing in older versions of the driver. */
  getTransactionStatus?(): unknown
}

/** The part of a `pg` pool that the store uses. */
export type PostgresPool = {
  connect(callback: (error: unknown, client?: PostgresClient) => void): unknown
  readonly options?: { readonly max?: number | undefined }
}

/** The result of a query. Kysely also reads fields that are not declared here. */
export type PostgresResult = { readonly rows: unknown[] }

/** A connection while the store uses it. */
export type PostgresLease = {
  /** Fails if there is no reply within the limit, in milliseconds. */
  query(config: PostgresQuery, limitMs?: number): Promise<PostgresResult>
  /** Returns the connection to its pool, or closes it if requested or if it is broken. */
  release(drop?: boolean): void
}

/** Leaves integers as digits and text as text, as the server sends them, regardless of the parsers that are set for the client or the process. */
const asSent: Parser = (value) => value
export const asSentTypes: NonNullable<PostgresQuery['types']> = { getTypeParser: (): Parser => asSent }

/** Returns the known values, the server's bytes of the text, and whether the server is read-only. */
const KNOWN_VALUES: CompiledQuery = CompiledQuery.raw(
  `select $1::bigint as known_int, $2::text as known_text, $3::text as known_json, $4::text as known_empty, $5::text as known_null,
  encode(convert_to($2::text, 'UTF8'), 'hex') as known_bytes, current_setting('transaction_read_only') as known_read_only`,
  [KNOWN.int, KNOWN.text, KNOWN.json, KNOWN.empty, null],
)

/** Closes a connection without a termination message, which would wait forever on a dead connection. */
export const cut = (client: object): void => Object(Reflect.get(client, 'connection')).stream?.destroy?.()

const hold = (client: PostgresClient, silence: Silence): PostgresLease => {
  let broken = false
  const lost = (): void => {
    broken = true
  }
  client.on('error', lost)
  return {
    async query(config, limitMs) {
      if (broken) throw Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' })
      try {
        return (await silence.ask(client, () => client.query({ ...config, types: asSentTypes } as never), limitMs)) as PostgresResult
      } catch (error) {
        if (postgresQuirks.faultOf(error) === 'connection') broken = true
        throw error
      }
    },
    release(drop = broken) {
      client.removeListener('error', lost)
      client.release(drop || broken)
      if (drop || broken) cut(client)
    },
  }
}

/** Returns whether the connection was returned with an open transaction, in which reads are stale and writes are not committed. */
const isWithin = (client: PostgresClient): boolean => ['T', 'E'].includes(String(client.getTransactionStatus?.()))

/** Rolls back a transaction that the host left open. Keeps the connection, because a commit that the host did not await may still be under way. */
const rollBack = async (lease: PostgresLease): Promise<PostgresLease> => {
  try {
    await lease.query({ text: 'rollback', values: [] }, BRIEF_MS)
    return lease
  } catch (error) {
    lease.release(true)
    throw error
  }
}

/** Returns the names, never the values, of the client options that are known to change values. */
const suspects = (client: PostgresClient): readonly string[] => (Reflect.get(client, 'binary') ? ['binary: true'] : [])

/** The purpose of connections: changes and fresh reads, or reads that a standby may answer. */
export type Purpose = 'primary' | 'replica'

/** Refuses a connection that alters values, or whose server cannot even represent the known values. */
export function* checkValues(options: readonly string[] = [], purpose: Purpose = 'primary'): Steps<void> {
  let rows: readonly unknown[]
  try {
    rows = (yield* askRaw(KNOWN_VALUES)).rows
  } catch (error) {
    // untranslatable_character, character_not_in_repertoire
    const { code } = error as { readonly code?: unknown }
    if (code !== '22P05' && code !== '22021') throw error
    throw new StoreUnavailableError(
      'postgres store: the encoding of the database or of its connections cannot represent every character: create the database with UTF8',
    )
  }
  refuseDifferences('postgres', differencesOf(rows), options)
  // A standby, even one that was the primary when the store was opened, may answer with data from before a revocation.
  if (purpose === 'primary' && Reflect.get(Object(rows[0]), 'known_read_only') === 'on')
    throw Object.assign(new Error('read-only'), { code: '25006' })
}

function* check(client: PostgresClient, { purpose, lineage, names }: Access): Steps<void> {
  yield* checkValues(suspects(client), purpose)
  if (names !== undefined) yield* lineage?.check(postgresQuirks, names) ?? []
}

/** Returns whether the server itself is unsuitable, in which case a new connection may reach a different server. */
const isWrongServer = (error: unknown): boolean => postgresQuirks.faultOf(error) === 'read_only' || error instanceof ReplacedError

/** The purpose of connections, and the checks that they undergo in addition to the check of the known values. */
export type Access = {
  readonly purpose?: Purpose
  readonly lineage?: Lineage
  readonly names?: Names
  readonly onConnection?: (client: PostgresClient) => void
}

/**
 * Hands out the connections of a pool. Each is checked before its first use, and has an error listener from the start.
 *
 * The listener is attached in the pool's callback, because a server may close the connection in the same packet that made it available. An error event
 * without a listener would end the process.
 */
export const leasesOf = (pool: PostgresPool, access: Access = {}): Shares<PostgresLease> => {
  const { lineage, onConnection } = access
  const silence = new Silence()
  const checked = new WeakMap<PostgresClient, number>()
  const looked = async (client: PostgresClient, lease: PostgresLease): Promise<PostgresLease> => {
    const isNew = !checked.has(client)
    const age = lineage?.age ?? 0
    try {
      await driveAsync(check(client, access), ({ sql, parameters }) => lease.query({ text: sql, values: parameters }, BRIEF_MS))
    } catch (error) {
      if (isWrongServer(error)) lease.release(true)
      else lease.release()
      throw error
    }
    checked.set(client, age)
    if (isNew) onConnection?.(client)
    return lease
  }
  const connect = (): Promise<PostgresLease> =>
    new Promise((resolve, reject) => {
      let taken = false
      const take = (client: PostgresClient): void => {
        if (taken) return
        taken = true
        const lease = hold(client, silence)
        if (silence.isSuspect(client)) {
          lease.release(true)
          resolve(connect())
          return
        }
        const ready = (): PostgresLease | Promise<PostgresLease> =>
          checked.get(client) === (lineage?.age ?? 0) ? lease : looked(client, lease)
        resolve(isWithin(client) ? rollBack(lease).then(ready) : ready())
      }
      const answer: unknown = pool.connect((error, client) => (client === undefined || error ? reject(error as Error) : take(client)))
      // A pool that wraps the driver's may support only promises.
      if (isThenable(answer)) answer.then((client) => client && take(client as PostgresClient), reject)
    })
  return sharesOf(pool.options?.max, connect)
}
