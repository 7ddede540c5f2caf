import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { Pool } from 'pg'
import type { TokenStore } from '../../../src/store/port.js'
import { ownSchema } from '../../stores/sql/databases.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { atMost, fixed, type Section, times, type Verdict } from '../result.js'
import { fill, idOf } from '../stores/fill.js'

const READS = 4000

type Raw = (id: string) => unknown
type Place = { readonly name: string; readonly store: TokenStore; readonly raw: Raw; readonly limit: number; close(): Promise<void> }

/** One `find` of one token in a small and in a large store, compared with the driver's own call. */
export const size: Section = async ({ quick }) => {
  const sizes = quick ? [1000, 5000] : [1000, 10_000, 100_000]
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  for (const place of await places()) {
    try {
      await place.store.migrate?.()
      let filled = 0
      const medians: number[] = []
      for (const count of sizes) {
        await fill(place.store, filled, count)
        filled = count
        const [raw, ours] = await measure(place, count, quick ? 400 : READS)
        medians.push(ours)
        rows.push([place.name, count.toLocaleString('en'), fixed(raw, 1), fixed(ours, 1), times(ours / raw)])
      }
      const growth = (medians.at(-1) ?? Number.NaN) / (medians[0] ?? Number.NaN)
      const what = `a read on ${place.name} with ${sizes.at(-1)?.toLocaleString('en')} tokens, relative to a read with ${sizes[0]?.toLocaleString('en')} tokens`
      verdicts.push(atMost(what, place.limit, growth, '×', 'The pages of a large table do not all stay in the CPU’s caches.'))
    } finally {
      await place.close()
    }
  }
  const head = ['store', 'tokens', 'driver µs (median)', 'store µs (median)', 'ratio']
  return { tables: [{ title: 'One read of one token, by the size of the store', head, rows }], verdicts }
}

async function measure({ store, raw }: Place, total: number, reads: number): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []]
  for (let at = 0; at < reads; at += 1) {
    // Each side reads different tokens, so neither warms the other's next read.
    const [first, second] = [idOf((at * 7919) % total), idOf((at * 104_729 + 1) % total)]
    let began = performance.now()
    await raw(first)
    times[0].push(performance.now() - began)
    began = performance.now()
    if ((await store.find([second])).length !== 1) throw new Error('not found')
    times[1].push(performance.now() - began)
  }
  return [quantile(times[0], 0.5) * 1000, quantile(times[1], 0.5) * 1000]
}

async function places(): Promise<Place[]> {
  const file = join(tmpdir(), `latchkey-bench-size-${process.pid}.db`)
  const database = new Database(file)
  let statement: { get(id: string): unknown } | undefined
  const sqlite: Place = {
    name: 'SQLite',
    store: sqliteStore(file),
    limit: 1.35,
    raw: (id) => {
      statement ??= database.prepare('select * from latchkey_tokens where id = ?')
      return statement.get(id)
    },
    async close() {
      await this.store.close?.()
      database.close()
      for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
    },
  }
  const { url } = await service('postgres')
  if (url === undefined) return [sqlite]
  const place = await ownSchema(url)
  const pool = new Pool({ connectionString: url, options: `-c search_path=${place.schema}` })
  const postgres: Place = {
    name: 'Postgres',
    store: postgresStore({ pool, schema: place.schema }),
    limit: 1.35,
    raw: (id) => pool.query('select * from latchkey_tokens where id = $1', [id]),
    async close() {
      await this.store.close?.()
      await pool.end()
      await place.remove()
    },
  }
  return [sqlite, postgres]
}
