import { sql as raw } from 'kysely'
import type { UsageQuery, UsageRows } from '../../../../src/model/usage.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'
import { MOST_ADDRESSES } from './addresses.js'

/** Reads the counters and addresses of some tokens. */
export const usage = async (sql: Sql, query: UsageQuery): Promise<UsageRows> => {
  const { builder, engine } = sql
  if (query.tokenIds.length === 0) return { counts: [], addresses: [] }
  if (query.from !== undefined && query.stepMs !== undefined) {
    return await usageBySteps(sql, query, query.from, query.stepMs)
  }
  const tokenIds = [...query.tokenIds]
  let counting = builder.selectFrom('usage_counts').selectAll().where('token_id', 'in', tokenIds)
  if (query.from !== undefined) counting = counting.where('bucket_at', '>=', query.from)
  if (query.to !== undefined) counting = counting.where('bucket_at', '<', query.to)
  if (query.limit !== undefined) counting = counting.limit(query.limit)
  const counted = counting.orderBy('bucket_at').orderBy('endpoint').orderBy('outcome').orderBy('scope').orderBy('token_id').compile()
  const addressed = builder
    .selectFrom('usage_addresses')
    .selectAll()
    .where('token_id', 'in', tokenIds)
    .orderBy('last_at', 'desc')
    .orderBy('ip')
    .limit(MOST_ADDRESSES)
    .compile()
  const counts = await (engine.read ?? engine.run)(counted)
  const addresses = await (engine.read ?? engine.run)(addressed)
  return {
    counts: counts.rows.map((row) => ({
      tokenId: row.token_id,
      bucketAt: wide(row.bucket_at),
      endpoint: row.endpoint,
      outcome: row.outcome,
      scope: row.scope,
      count: wide(row.uses),
    })),
    addresses: addresses.rows.map((row) => ({ tokenId: row.token_id, ip: row.ip, count: wide(row.uses), lastAt: wide(row.last_at) })),
  }
}

/** The type of an instant in each dialect's `cast`. */
const INTEGER = { sqlite: 'integer', postgres: 'bigint', mysql: 'signed' } as const

/** Reads the counters of some tokens, up to the limit, summed in the database by token, step and whether the use was allowed. */
const usageBySteps = async (
  { builder, engine, quirks }: Sql,
  { tokenIds, to, limit }: UsageQuery,
  from: number,
  stepMs: number,
): Promise<UsageRows> => {
  // Parameters keep the SQL text the same. The cast is needed because drivers send them as floats or as text.
  const integer = (value: number) => raw`cast(${Math.trunc(value)} as ${raw.raw(INTEGER[quirks.dialect])})`
  let counting = builder
    .selectFrom('usage_counts')
    .select(['token_id', 'bucket_at', 'outcome', 'uses'])
    .where('token_id', 'in', [...tokenIds])
    .where('bucket_at', '>=', from)
  if (to !== undefined) counting = counting.where('bucket_at', '<', to)
  if (limit !== undefined) counting = counting.limit(limit)
  const adding = builder
    .selectFrom(counting.as('counted'))
    .select([
      'token_id',
      raw<number | string | bigint>`bucket_at - (bucket_at - ${integer(from)}) % ${integer(stepMs)}`.as('step_at'),
      raw<string>`case when outcome = 'allowed' then 'allowed' else 'refused' end`.as('verdict'),
      (eb) => eb.fn.sum<number | string | bigint>('uses').as('total'),
      (eb) => eb.fn.countAll<number | string | bigint>().as('summed'),
    ])
    .groupBy(['token_id', raw`step_at`, raw`verdict`])
    .orderBy(raw`step_at`)
    .orderBy(raw`verdict`)
    .orderBy('token_id')
  const { rows } = await (engine.read ?? engine.run)(adding.compile())
  const counts = rows.map((row) => ({
    tokenId: row.token_id,
    bucketAt: wide(row.step_at),
    endpoint: '',
    outcome: row.verdict,
    scope: '',
    count: wide(row.total),
  }))
  return { counts, addresses: [], summed: rows.reduce((all, { summed }) => all + wide(summed), 0) }
}
