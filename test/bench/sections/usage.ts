import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { Pool } from 'pg'
import type { TokenStore, UsageBatch } from '../../../src/store.js'
import { ownSchema } from '../../stores/sql/databases.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { atLeast, atMost, fixed, type Section, type Verdict } from '../result.js'
import { fill, idOf } from '../stores/fill.js'

const TOKENS = 1000
/** As many tokens as the recorder puts into one batch: three rows each, up to five hundred rows. */
const IN_A_BATCH = 167

/** What it costs to write uses down: a batch against an awaited UPDATE for each token, and how long SQLite holds up everything else. */
export const usage: Section = async ({ quick }) => {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  const rounds = quick ? 3 : 20
  const { url } = await service('postgres')
  if (url !== undefined) {
    const [single, batch] = await onPostgres(url, rounds)
    rows.push(
      ['Postgres: an awaited UPDATE for each token', fixed(single, 1)],
      ['Postgres: in batches, with counts and addresses', fixed(batch, 1)],
    )
    verdicts.push(atLeast('time to write the use of a token on Postgres, single UPDATE against batch', 25, single / batch, '×', WHY))
  }
  const { perToken, longestBlock } = await onSqlite(rounds)
  rows.push(['SQLite: in batches, with counts and addresses', fixed(perToken, 1)])
  verdicts.push(
    atMost(
      `event loop held up by a SQLite flush of ${TOKENS.toLocaleString('en')} tokens (median of the longest of each flush)`,
      4,
      longestBlock,
      'ms',
      WHY_BLOCK,
    ),
  )
  return { tables: [{ title: 'Writing uses down', head: ['what', 'µs a token (median)'], rows }], verdicts }
}

const WHY = `The batch writes three rows for a token (last use, a counter, an address) where the single statement writes one; for the same three rows it would be three statements.`
const WHY_BLOCK = 'A batch is one transaction on the thread of the process; up to five hundred rows go into one.'

async function onPostgres(url: string, rounds: number): Promise<[number, number]> {
  const place = await ownSchema(url)
  const pool = new Pool({ connectionString: url, options: `-c search_path=${place.schema}` })
  const store = postgresStore({ pool, schema: place.schema })
  try {
    await store.migrate?.()
    await fill(store, 0, TOKENS)
    await pool.query('create table plain (id text primary key, last_used_at bigint)')
    await pool.query('insert into plain select id, 0 from latchkey_tokens')
    const [single, batch]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      let began = performance.now()
      for (let at = 0; at < TOKENS; at += 1) await pool.query('update plain set last_used_at = $1 where id = $2', [round, idOf(at)])
      single.push(performance.now() - began)
      began = performance.now()
      await flush(store, round)
      batch.push(performance.now() - began)
    }
    return [(quantile(single, 0.5) / TOKENS) * 1000, (quantile(batch, 0.5) / TOKENS) * 1000]
  } finally {
    await store.close?.()
    await pool.end()
    await place.remove()
  }
}

async function onSqlite(rounds: number): Promise<{ perToken: number; longestBlock: number }> {
  const file = join(tmpdir(), `latchkey-bench-usage-${process.pid}.db`)
  const store = sqliteStore(file)
  try {
    await store.migrate?.()
    await fill(store, 0, TOKENS)
    const [took, blocked]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      let running = true
      let longest = 0
      let last = performance.now()
      const watch = (): void => {
        const now = performance.now()
        longest = Math.max(longest, now - last)
        last = now
        if (running) setImmediate(watch)
      }
      setImmediate(watch)
      const began = performance.now()
      await flush(store, round)
      took.push(performance.now() - began)
      running = false
      await new Promise((resolve) => setTimeout(resolve, 5))
      blocked.push(longest)
    }
    return { perToken: (quantile(took, 0.5) / TOKENS) * 1000, longestBlock: quantile(blocked, 0.5) }
  } finally {
    await store.close?.()
    for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  }
}

/** Writes one use of each token, in batches as the recorder makes them. */
async function flush(store: TokenStore, round: number): Promise<void> {
  for (let from = 0; from < TOKENS; from += IN_A_BATCH) {
    const ids = Array.from({ length: Math.min(IN_A_BATCH, TOKENS - from) }, (_, at) => idOf(from + at))
    const at = 1_700_000_000_000 + round
    const batch: UsageBatch = {
      nodeId: 'bench',
      seq: round * 1000 + from + 1,
      at,
      counts: ids.map((tokenId) => ({ tokenId, bucketAt: 1_699_999_200_000, endpoint: 'GET /stock/:id', outcome: 'allowed', count: 3 })),
      addresses: ids.map((tokenId) => ({ tokenId, ip: '192.0.2.7', count: 3, lastAt: at })),
      lastUses: ids.map((tokenId) => ({ tokenId, at, ip: '192.0.2.7' })),
    }
    await store.recordUsage(batch)
  }
}
