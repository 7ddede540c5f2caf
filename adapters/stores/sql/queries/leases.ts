import { CompiledQuery } from 'kysely'
import type { NodeLease } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'

/** Leases that ran out this long ago are removed by whoever renews one. */
const FORGET_AFTER_MS = 24 * 3_600_000

/** Registers or renews leases in one statement. */
export const renewLeases = async ({ builder, engine, names, quirks }: Sql, given: readonly NodeLease[]): Promise<void> => {
  // Always in one order, so that two who renew the same leases at once do not wait for each other in a circle.
  const leases = given.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  const [first] = leases
  if (first === undefined) return
  const rows = leases.map((_, at) => `(${[1, 2, 3].map((column) => quirks.placeholder(at * 3 + column)).join(', ')})`).join(', ')
  const set = `feed_cursor = ${quirks.incoming('feed_cursor')}, expires_at = ${quirks.incoming('expires_at')}`
  const insert = `insert into ${quirks.table(names, 'leases')} (node_id, feed_cursor, expires_at) values ${rows}`
  const parameters = leases.flatMap(({ nodeId, cursor, expiresAt }) => [nodeId, cursor, expiresAt])
  await (engine.feed ?? engine.run)(CompiledQuery.raw(`${insert} ${quirks.onClash(['node_id'], set)}`, parameters))
  // A node alone renews every second or so: tidying up at one renewal in many is enough.
  if (first.expiresAt % 64 === 0) {
    await (engine.feed ?? engine.run)(
      builder
        .deleteFrom('leases')
        .where('expires_at', '<', first.expiresAt - FORGET_AFTER_MS)
        .compile(),
    )
  }
}

/** The leases that have not run out. */
export const leases = async ({ builder, engine }: Sql, now: number): Promise<readonly NodeLease[]> => {
  const { rows } = await (engine.feed ?? engine.run)(builder.selectFrom('leases').selectAll().where('expires_at', '>', now).compile())
  return rows.map((row) => ({ nodeId: row.node_id, cursor: row.feed_cursor, expiresAt: wide(row.expires_at) }))
}
