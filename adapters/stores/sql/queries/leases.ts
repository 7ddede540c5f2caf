import { CompiledQuery } from 'kysely'
import type { NodeLease } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'

/** The interval, by the database's clock, between two checks of a lease that was not renewed. */
const LOOK_EVERY_SECONDS = 3600
/** A lease is removed after this many consecutive checks without a renewal. */
const FORGET_AFTER_LOOKS = 24

/**
 * Registers or renews leases in one statement.
 *
 * Removal does not depend on the instants in the leases, which other wall clocks wrote. It counts checks instead of hours, and a renewal resets
 * the count, so a jump of the database's clock does not remove the lease of a running node either.
 */
export const renewLeases = async (sql: Sql, given: readonly NodeLease[]): Promise<void> => {
  const { engine, names, quirks } = sql
  // Always in one order, so two nodes that renew the same leases do not deadlock.
  const leases = given.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  const [first] = leases
  if (first === undefined) return
  const row = (at: number): string => `(${[1, 2, 3].map((column) => quirks.placeholder(at * 3 + column)).join(', ')}, ${quirks.seconds}, 0)`
  const rows = leases.map((_, at) => row(at)).join(', ')
  const set = ['feed_cursor', 'expires_at', 'looked_at', 'missed'].map((column) => `${column} = ${quirks.incoming(column)}`).join(', ')
  const insert = `insert into ${quirks.table(names, 'leases')} (node_id, feed_cursor, expires_at, looked_at, missed) values ${rows}`
  const parameters = leases.flatMap(({ nodeId, cursor, expiresAt }) => [nodeId, cursor, expiresAt])
  await (engine.feed ?? engine.run)(CompiledQuery.raw(`${insert} ${quirks.onClash(['node_id'], set)}`, parameters))
  // Even a single node renews about once a second, so cleaning up at one renewal in many is enough.
  if (first.expiresAt % 64 === 0) await forgetLeases(sql)
}

const forgetLeases = async ({ builder, engine, names, quirks }: Sql): Promise<void> => {
  const now = quirks.seconds
  // A check in the future was made before the database's clock was set back.
  const due = `looked_at < ${now} - ${LOOK_EVERY_SECONDS} or looked_at > ${now} + ${LOOK_EVERY_SECONDS}`
  const run = engine.feed ?? engine.run
  await run(CompiledQuery.raw(`update ${quirks.table(names, 'leases')} set missed = missed + 1, looked_at = ${now} where ${due}`))
  await run(builder.deleteFrom('leases').where('missed', '>=', FORGET_AFTER_LOOKS).compile())
}

/** Reads the leases that have not expired. */
export const leases = async ({ builder, engine }: Sql, now: number): Promise<readonly NodeLease[]> => {
  const { rows } = await (engine.feed ?? engine.run)(
    builder.selectFrom('leases').select(['node_id', 'feed_cursor', 'expires_at']).where('expires_at', '>', now).compile(),
  )
  return rows.map((row) => ({ nodeId: row.node_id, cursor: row.feed_cursor, expiresAt: wide(row.expires_at) }))
}
