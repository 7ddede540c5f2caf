import { sql } from 'kysely'
import { ask, type Steps } from '../engine.js'
import type { Builder } from '../quirks.js'
import { wide } from '../schema/wide.js'

/**
 * Identifies the run of this server by its start time, and the table by its ID and the ID of its database. Standbys replicate this ID from the primary,
 * whereas a copy of the tables has a different ID.
 */
const RUN = sql<string>`concat_ws('_', (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint,
  (select oid from pg_database where datname = current_database()), tableoid)`

/**
 * Advances the head of the feed under its row lock, and records where a new run of the server continues. A promoted standby reuses the positions that its
 * primary had assigned to changes that the standby never received.
 */
export function* bumpPostgres(builder: Builder, by: number): Steps<{ readonly head: number; readonly floor: number }> {
  const { rows } = yield* ask(
    builder
      .updateTable('feed')
      .set((eb) => ({
        head: eb('head', '+', by),
        run: RUN,
        run_from: sql<number>`case when run = ${RUN} then run_from else head end`,
        run_before: sql<string>`case when run = ${RUN} then run_before else run end`,
      }))
      .where('id', '=', 1)
      .returning(['head', 'floor']),
  )
  return { head: wide(rows[0]?.head ?? Number.NaN), floor: wide(rows[0]?.floor ?? 0) }
}
