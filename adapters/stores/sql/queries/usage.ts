import { CompiledQuery, sql as raw } from 'kysely'
import { isErased } from '../../../../src/model/event.js'
import { ownFields } from '../../../../src/model/own-fields.js'
import type { LastUse, UsageAddress, UsageBatch, UsageCount } from '../../../../src/model/usage.js'
import { chunks, type Sql } from '../context.js'
import { affected, ask, driveAsync, type Steps } from '../engine.js'
import type { Tables } from '../schema/schema.js'
import { wide } from '../schema/wide.js'
import { trimAddresses } from './addresses.js'

/** Rows per statement: with six columns each, they stay below every server's limit on parameters. */
const ROWS = 4_000
/** The number of nodes whose last batch is remembered. The nodes that have not sent one for the longest time are forgotten first. */
const MAX_NODES = 10_000
type Upsert<T> = {
  readonly table: keyof Tables
  readonly columns: { readonly [K in keyof T]: 'text' | 'bigint' }
  readonly keys: readonly (keyof T & string)[]
  readonly assignments: string
}

/** Writes many rows with each statement. Statements are plain text, because building thousands of rows as a syntax tree would block the event loop. */
function* upsert<T extends { readonly [column: string]: string | number | null }>(
  { quirks, names }: Sql,
  into: Upsert<T>,
  rows: readonly T[],
): Steps<void> {
  const columns = Object.keys(into.columns)
  const head = `insert into ${quirks.table(names, into.table)} (${columns.join(', ')})`
  const tail = quirks.onClash(into.keys, into.assignments)
  const given = quirks.fromJson?.(into.columns)
  for (const piece of chunks(rows, ROWS)) {
    if (given !== undefined) {
      yield CompiledQuery.raw(`${head} ${given} ${tail}`, [JSON.stringify(piece)])
      continue
    }
    let position = 0
    const tuples = piece.map(() => `(${columns.map(() => quirks.placeholder(++position)).join(', ')})`)
    const values = piece.flatMap((row) => columns.map((column) => row[column]))
    yield CompiledQuery.raw(`${head} values ${tuples.join(', ')} ${tail}`, values)
  }
}

/** Merges items with the same key and sorts by it, so that no row occurs twice in a statement and locks are always taken in the same order. */
const merged = <T>(list: readonly T[], keyOf: (item: T) => string, merge: (a: T, b: T) => T): readonly T[] => {
  const byKey = new Map<string, T>()
  for (const item of list) {
    const key = keyOf(item)
    const known = byKey.get(key)
    byKey.set(key, known === undefined ? item : merge(known, item))
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}

const key = (...parts: readonly unknown[]): string => JSON.stringify(parts)

/**
 * Returns whether this batch is new. Records it in the transaction that counts it.
 *
 * Which nodes are forgotten does not depend on the instants in their batches, which other wall clocks wrote. The database's clock orders the nodes, and the
 * same number is kept even if that clock jumps.
 */
function* isNew({ builder, quirks }: Sql, { nodeId: node_id, seq }: UsageBatch): Steps<boolean> {
  const seen_at = raw<number>`${raw.raw(quirks.seconds)} * 1000`
  // Reads first, because on MySQL an update that finds no row would lock the gap into which other nodes insert their rows.
  const { rows } = yield* ask(builder.selectFrom('usage_sources').select('seq').where('node_id', '=', node_id))
  if (rows.length > 0) {
    const moved = yield* ask(
      builder.updateTable('usage_sources').set({ seq, seen_at }).where('node_id', '=', node_id).where('seq', '<', seq),
    )
    return affected(moved) > 0
  }
  yield* ask(builder.insertInto('usage_sources').values({ node_id, seq, seen_at }))
  const { rows: kept } = yield* ask(
    builder
      .selectFrom('usage_sources')
      .select('seen_at')
      .orderBy('seen_at', 'desc')
      .limit(1)
      .offset(MAX_NODES - 1),
  )
  for (const { seen_at: last } of kept) yield* ask(builder.deleteFrom('usage_sources').where('seen_at', '<', last))
  return true
}

function* steps(sql: Sql, batch: UsageBatch): Steps<boolean> {
  const counts = yield* isNew(sql, batch)
  if (counts) yield* addUsage(sql, yield* ofTokens(sql, batch))
  return counts
}

type Uses = Pick<UsageBatch, 'counts' | 'addresses' | 'lastUses'>

const idsIn = ({ counts, addresses, lastUses }: Uses): ReadonlySet<string> =>
  new Set([counts, addresses, lastUses].flatMap((list) => list.map(({ tokenId }) => tokenId)))

/** Returns which of these tokens exist, and whether each belongs to an erased owner. */
function* erasedOf({ builder }: Sql, ids: Iterable<string>): Steps<ReadonlyMap<string, boolean>> {
  const known = new Map<string, boolean>()
  for (const piece of chunks([...ids])) {
    const { rows } = yield* ask(builder.selectFrom('tokens').select(['id', 'name', 'owner_id', 'revoked_at']).where('id', 'in', piece))
    for (const { id, name, owner_id, revoked_at } of rows)
      known.set(id, isErased({ name, ownerId: owner_id ?? undefined, revokedAt: revoked_at === null ? undefined : wide(revoked_at) }))
  }
  return known
}

/** Keeps only the usage of existing tokens, because nothing would ever delete the usage of a removed token. Omits the addresses of an erased owner's tokens. */
function* ofTokens(sql: Sql, { counts, addresses, lastUses }: Uses): Steps<Uses> {
  const known = yield* erasedOf(sql, idsIn({ counts, addresses, lastUses }))
  const isKnown = ({ tokenId }: { readonly tokenId: string }): boolean => known.has(tokenId)
  return {
    counts: counts.filter(isKnown),
    addresses: addresses.filter(({ tokenId }) => known.get(tokenId) === false),
    lastUses: lastUses
      .filter(isKnown)
      .map(({ ip, ...use }) => ownFields(known.get(use.tokenId) === true || ip === undefined ? use : { ...use, ip })),
  }
}

/** Adds usage to the stored counters. */
export function* addUsage(sql: Sql, batch: Uses): Steps<void> {
  const { incoming, table } = sql.quirks
  const current = (of: keyof Tables, column: string): string => `${table(sql.names, of)}.${column}`
  const addUses = (of: keyof Tables): string => `uses = ${current(of, 'uses')} + ${incoming('uses')}`
  const later = (of: keyof Tables, by: string, column: string): string =>
    `${column} = case when ${incoming(by)} > ${current(of, by)} then ${incoming(column)} else ${current(of, column)} end`
  yield* upsert(
    sql,
    {
      table: 'usage_counts',
      columns: { token_id: 'text', bucket_at: 'bigint', endpoint: 'text', outcome: 'text', scope: 'text', uses: 'bigint' },
      keys: ['token_id', 'bucket_at', 'endpoint', 'outcome', 'scope'],
      assignments: addUses('usage_counts'),
    },
    merged<UsageCount>(
      batch.counts,
      (item) => key(item.tokenId, item.bucketAt, item.endpoint, item.outcome, item.scope),
      (a, b) => ({ ...a, count: a.count + b.count }),
    ).map((item) => ({
      token_id: item.tokenId,
      bucket_at: item.bucketAt,
      endpoint: item.endpoint,
      outcome: item.outcome,
      scope: item.scope,
      uses: item.count,
    })),
  )
  yield* upsert(
    sql,
    {
      table: 'usage_addresses',
      columns: { token_id: 'text', ip: 'text', uses: 'bigint', last_at: 'bigint' },
      keys: ['token_id', 'ip'],
      assignments: `${addUses('usage_addresses')}, ${later('usage_addresses', 'last_at', 'last_at')}`,
    },
    merged<UsageAddress>(
      batch.addresses,
      (item) => key(item.tokenId, item.ip),
      (a, b) => ({ ...a, count: a.count + b.count, lastAt: Math.max(a.lastAt, b.lastAt) }),
    ).map((item) => ({ token_id: item.tokenId, ip: item.ip, uses: item.count, last_at: item.lastAt })),
  )
  yield* trimAddresses(sql, batch.addresses)
  yield* upsert(
    sql,
    {
      table: 'last_uses',
      columns: { token_id: 'text', last_used_at: 'bigint', last_used_ip: 'text' },
      keys: ['token_id'],
      // The address comes first, because MySQL assigns from left to right and would otherwise compare with the new instant.
      assignments: `${later('last_uses', 'last_used_at', 'last_used_ip')}, ${later('last_uses', 'last_used_at', 'last_used_at')}`,
    },
    merged<LastUse>(
      batch.lastUses,
      (item) => item.tokenId,
      (a, b) => (b.at >= a.at ? b : a),
    ).map((item) => ({ token_id: item.tokenId, last_used_at: item.at, last_used_ip: item.ip ?? null })),
  )
}

const TABLES = ['usage_counts', 'usage_addresses', 'last_uses'] as const

/** Removes all usage of these tokens. */
export function* clearUsage({ builder, quirks }: Sql, tokenIds: readonly string[]): Steps<void> {
  for (const piece of chunks(tokenIds)) {
    for (const table of TABLES) {
      // Read first: usually nothing is left, and on MySQL, deleting several tokens at once may run into locked rows of others in a small table.
      const { rows } = yield* ask(builder.selectFrom(table).select('token_id').distinct().where('token_id', 'in', piece))
      const used = rows.map(({ token_id }) => token_id)
      for (const few of chunks(used, quirks.byKey === undefined ? undefined : 1))
        yield* ask(builder.deleteFrom(table).where('token_id', 'in', few))
    }
  }
}

/** Removes what an erasure or a removal could not see, because this batch was not committed yet. Usually reads once and finds nothing. */
const forgetGone = async (sql: Sql, batch: UsageBatch): Promise<void> => {
  const ids = idsIn(batch)
  const known = await driveAsync(erasedOf(sql, ids), async (query) => await sql.engine.run(query))
  const removed = [...ids].filter((id) => !known.has(id))
  const erased = [...known].flatMap(([id, gone]) => (gone ? [id] : []))
  if (removed.length + erased.length === 0) return
  await sql.engine.transaction(function* () {
    yield* clearUsage(sql, removed)
    for (const piece of chunks(erased)) {
      yield* ask(sql.builder.deleteFrom('usage_addresses').where('token_id', 'in', piece))
      yield* ask(sql.builder.updateTable('last_uses').set({ last_used_ip: null }).where('token_id', 'in', piece))
    }
  })
}

/** Counts a batch once, however often it is sent. */
export const recordUsage = async (sql: Sql, batch: UsageBatch): Promise<boolean> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const counted = await sql.engine.transaction(() => steps(sql, batch))
      // With one writer at a time, the transaction itself has seen every erasure and removal.
      if (sql.quirks.shortWait !== undefined) await forgetGone(sql, batch)
      return counted
    } catch (error) {
      // Two batches of one new node were written concurrently. A retry finds the row that the other batch wrote.
      if (sql.quirks.faultOf(error) !== 'duplicate' || attempt === 3) throw error
    }
  }
}
