import type { UsageTrim } from '../../../../src/model/usage.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'

/** The maximum number of hours or addresses removed in one transaction. */
const BATCH = 200

/** Removes audit events by their IDs. */
export const removeEvents = async ({ builder, engine }: Sql, prefix: string, ids: readonly string[]): Promise<void> => {
  for (const piece of chunks(ids)) {
    await engine.run(builder.deleteFrom('events').where('prefix', '=', prefix).where('id', 'in', piece).compile())
  }
}

function* trimCounts({ builder }: Sql, tokenIds: readonly string[], before: number): Steps<boolean> {
  // Deletes hour by hour, because each hour has few rows and most servers cannot limit a delete.
  const { rows } = yield* ask(
    builder
      .selectFrom('usage_counts')
      .select(['token_id', 'bucket_at'])
      .distinct()
      .where('token_id', 'in', tokenIds)
      .where('bucket_at', '<', before)
      .limit(BATCH),
  )
  if (rows.length === 0) return false
  yield* ask(
    builder
      .deleteFrom('usage_counts')
      .where((eb) => eb.or(rows.map((row) => eb.and([eb('token_id', '=', row.token_id), eb('bucket_at', '=', row.bucket_at)])))),
  )
  return rows.length === BATCH
}

function* trimAddresses({ builder }: Sql, tokenIds: readonly string[], before: number): Steps<boolean> {
  const { rows } = yield* ask(
    builder
      .selectFrom('usage_addresses')
      .select(['token_id', 'ip'])
      .where('token_id', 'in', tokenIds)
      .where('last_at', '<', before)
      .limit(BATCH),
  )
  if (rows.length === 0) return false
  yield* ask(
    builder
      .deleteFrom('usage_addresses')
      // Checked again, because the address may have been used in the meantime.
      .where('last_at', '<', before)
      .where((eb) => eb.or(rows.map((row) => eb.and([eb('token_id', '=', row.token_id), eb('ip', '=', row.ip)])))),
  )
  return rows.length === BATCH
}

function* steps(sql: Sql, { tokenIds, countsBefore, addressesBefore, lastAddresses }: UsageTrim): Steps<boolean> {
  if (lastAddresses === true) yield* ask(sql.builder.updateTable('last_uses').set({ last_used_ip: null }).where('token_id', 'in', tokenIds))
  const moreCounts = countsBefore !== undefined && (yield* trimCounts(sql, tokenIds, countsBefore))
  const moreAddresses = addressesBefore !== undefined && (yield* trimAddresses(sql, tokenIds, addressesBefore))
  return moreCounts || moreAddresses
}

/** Removes a batch of old usage. */
export const trimUsage = async (sql: Sql, trim: UsageTrim): Promise<boolean> =>
  trim.tokenIds.length === 0 ? false : await sql.engine.transaction(() => steps(sql, trim))
