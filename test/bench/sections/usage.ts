import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { Pool } from 'pg'
import { UsageRecorder } from '../../../src/activity/usage.js'
import type { Entry } from '../../../src/cache/entry.js'
import { GuardedStore } from '../../../src/store/guarded-store.js'
import type { TokenStore } from '../../../src/store/port.js'
import { ownSchema } from '../../stores/sql/databases.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { atLeast, atMost, fixed, type Section, type Verdict } from '../result.js'
import { fill, idOf } from '../stores/fill.js'

const TOKENS = 1000

/** The cost of recording uses: a batch compared with an awaited UPDATE for each token, and how long SQLite blocks everything else. */
export const usage: Section = async ({ quick }) => {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  const rounds = quick ? 3 : 20
  const { url } = await service('postgres')
  if (url !== undefined) {
    const [single, batch] = await onPostgres(url, rounds)
    rows.push(row('Postgres: an awaited UPDATE for each token', single), row('Postgres: in batches, with counts and addresses', batch))
    verdicts.push(
      atLeast('CPU to record one use on Postgres, single UPDATE relative to a batch', 25, single.cpuMicros / batch.cpuMicros, '×', WHY),
    )
  }
  const { perToken, longestBlock } = await onSqlite(rounds)
  rows.push(row('SQLite: in batches, with counts and addresses', perToken))
  verdicts.push(
    atMost(
      `event loop blocked by a SQLite flush of ${TOKENS.toLocaleString('en')} tokens (median of the longest of each flush)`,
      4,
      longestBlock,
      'ms',
      WHY_BLOCK,
    ),
  )
  return {
    tables: [{ title: 'Recording uses', head: ['what', 'µs per token (median)', 'CPU µs per token, in this process'], rows }],
    verdicts,
  }
}

const row = (what: string, { micros, cpuMicros }: Cost): string[] => [what, fixed(micros, 1), fixed(cpuMicros, 1)]

const WHY = `For each token, the batch writes three rows (last use, a counter, an address), whereas the single statement writes one. Writing the same three rows would take three statements. A profile shows no single cause. The largest part is sending the rows through the socket, followed by collecting their values. Batches are meant for tokens that are used several times per interval, and the advantage grows with the number of uses.`
const WHY_BLOCK = 'A batch is one transaction on the main thread and is synced to disk. The time that the sync takes cannot be split.'

async function onPostgres(url: string, rounds: number): Promise<[Cost, Cost]> {
  const place = await ownSchema(url)
  const pool = new Pool({ connectionString: url, options: `-c search_path=${place.schema}` })
  const store = postgresStore({ pool, schema: place.schema })
  try {
    await store.migrate?.()
    await fill(store, 0, TOKENS)
    await pool.query('create table plain (id text primary key, last_used_at bigint)')
    await pool.query('insert into plain select id, 0 from latchkey_tokens')
    const [single, batch]: [Cost[], Cost[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      const one = async (): Promise<void> => {
        for (let at = 0; at < TOKENS; at += 1) await pool.query('update plain set last_used_at = $1 where id = $2', [round, idOf(at)])
      }
      single.push(await costOf(one))
      batch.push(await costOf(used(store)))
    }
    return [medianOf(single), medianOf(batch)]
  } finally {
    await store.close?.()
    await pool.end()
    await place.remove()
  }
}

async function onSqlite(rounds: number): Promise<{ perToken: Cost; longestBlock: number }> {
  const file = join(tmpdir(), `latchkey-bench-usage-${process.pid}.db`)
  const store = sqliteStore(file)
  try {
    await store.migrate?.()
    await fill(store, 0, TOKENS)
    const [took, blocked]: [Cost[], number[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      const flush = used(store)
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
      took.push(await costOf(flush))
      running = false
      await new Promise((resolve) => setTimeout(resolve, 5))
      blocked.push(longest)
    }
    return { perToken: medianOf(took), longestBlock: quantile(blocked, 0.5) }
  } finally {
    await store.close?.()
    for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  }
}

/** Records one use of each token, and returns a function that writes them the way an instance does. */
function used(store: TokenStore): () => Promise<void> {
  const nodeId = nodeIdOf()
  const recorder = new UsageRecorder(
    new GuardedStore(
      store,
      60_000,
      () => performance.now(),
      () => undefined,
    ),
    () => nodeId,
    Date.now,
    () => undefined,
  )
  for (let at = 0; at < TOKENS; at += 1) {
    // The recorder uses only these fields.
    const entry = { id: idOf(at), slot: undefined } as Entry
    recorder.touch(entry, Date.now(), '192.0.2.7')
    recorder.countAllowed(entry, 'GET /stock/:id', 'stock:read', '192.0.2.7')
  }
  return () => recorder.flush()
}

let nodes = 0
function nodeIdOf(): string {
  nodes += 1
  return `bench ${process.pid} ${nodes}`
}

type Cost = { readonly micros: number; readonly cpuMicros: number }

/** The cost per token. */
async function costOf(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage()
  const began = performance.now()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { micros: ((performance.now() - began) / TOKENS) * 1000, cpuMicros: (user + system) / TOKENS }
}

function medianOf(costs: readonly Cost[]): Cost {
  const by = (of: keyof Cost): number =>
    quantile(
      costs.map((cost) => cost[of]),
      0.5,
    )
  return { micros: by('micros'), cpuMicros: by('cpuMicros') }
}
