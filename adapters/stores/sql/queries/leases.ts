import { CompiledQuery } from 'kysely'
import type { NodeLease } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'

/** Leases that ran out this long ago are removed by whoever renews one. */
const FORGET_AFTER_MS = 24 * 3_600_000

/** Registers or renews the lease of a node. */
export const renewLease = async ({ builder, engine, names, quirks }: Sql, lease: NodeLease): Promise<void> => {
  const values = [1, 2, 3].map(quirks.placeholder).join(', ')
  const set = `feed_cursor = ${quirks.incoming('feed_cursor')}, expires_at = ${quirks.incoming('expires_at')}`
  const insert = `insert into ${quirks.table(names, 'leases')} (node_id, feed_cursor, expires_at) values (${values})`
  await engine.run(CompiledQuery.raw(`${insert} ${quirks.onClash(['node_id'], set)}`, [lease.nodeId, lease.cursor, lease.expiresAt]))
  // A node alone renews every second or so: tidying up at one renewal in many is enough.
  if (lease.expiresAt % 64 === 0) {
    await engine.run(
      builder
        .deleteFrom('leases')
        .where('expires_at', '<', lease.expiresAt - FORGET_AFTER_MS)
        .compile(),
    )
  }
}

/** The leases that have not run out. */
export const leases = async ({ builder, engine }: Sql, now: number): Promise<readonly NodeLease[]> => {
  const { rows } = await engine.run(builder.selectFrom('leases').selectAll().where('expires_at', '>', now).compile())
  return rows.map((row) => ({ nodeId: row.node_id, cursor: row.feed_cursor, expiresAt: wide(row.expires_at) }))
}
