import { sql } from 'kysely'
import { ask, type Steps } from '../engine.js'
import type { Builder } from '../quirks.js'
import { wide } from '../schema/wide.js'

/**
 * The run of this server: when it was started, and which table of which database this is. Standbys get it from the primary, and no copy of the tables
 * has the same.
 */
const RUN = sql<string>`concat_ws('_', (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint,
  (select oid from pg_database where datname = current_database()), tableoid)`

/**
 * Moves the head of the feed on, under its row lock, and notes where another run of the server goes on: a standby that was promoted gives out the
 * same places once more that its primary had given out for changes that it never got.
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
