import { hash } from 'node:crypto'
import { latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { interceptStore } from 'latchkey/testing'
import { Pool } from 'pg'
import type { StoredToken } from '../../../src/model/record.js'
import { readStored } from '../../../src/store/read-stored.js'
import { ownSchema } from '../../stores/sql/databases.js'
import { service } from '../../support/services.js'
import { quantile } from '../paired.js'
import { atLeast, atMost, fixed, type Section, type Table, times, type Verdict } from '../result.js'

const CONCURRENCY = 64
const POOL = 10

/** Verifications that must ask Postgres, compared with one query each through the same pool. */
export const misses: Section = async ({ quick }) => {
  const { url, skip } = await service('postgres')
  if (url === undefined) return { tables: [], verdicts: [], notes: [`Misses were not measured: ${skip}.`] }
  const place = await ownSchema(url)
  const pool = new Pool({ connectionString: url, max: POOL, options: `-c search_path=${place.schema}` })
  let finds = 0
  const store = interceptStore(postgresStore({ pool, schema: place.schema }), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'stock:read': 'See stock' }, cache: false, usage: false })
  try {
    const made: { token: string; id: string }[] = []
    for (let at = 0; at < 1000; at += 1) {
      const { token, record } = await tokens.system.create({ name: `key ${at}`, scopes: ['stock:read'] })
      made.push({ token, id: record.id })
    }
    const pick = (at: number) => made[at % made.length] ?? { token: '', id: '' }
    const ours = async (at: number): Promise<void> => {
      if (!(await tokens.verify(pick(at).token)).ok) throw new Error('the benchmark refused a valid token')
    }
    const oneByOne = async (at: number): Promise<void> => {
      const { token, id } = pick(at)
      const { rows } = await pool.query('select * from latchkey_tokens where id = $1', [id])
      if (rows.length !== 1 || hash('sha256', token.slice(0, -6), 'hex').length !== 64) throw new Error('not found')
    }
    const text = `select * from ${place.schema}.latchkey_tokens where id = any($1::text[])`
    const bare = gatherer(async (ids) => (await pool.query({ name: 'gathered', text, values: [ids] })).rows)
    const plain = postgresStore({ pool, schema: place.schema })
    const stored = gatherer(async (ids) => plain.find(ids))
    const together = async (at: number): Promise<void> => {
      if ((await bare(pick(at).id)) === undefined) throw new Error('not found')
    }
    const checked = async (at: number): Promise<void> => {
      const { token, id } = pick(at)
      const record = readStored<StoredToken>(await stored(id), 'postgres')
      if (hash('sha256', token.slice(0, -6), 'hex') !== record.digest) throw new Error('not the token')
    }
    const many = await alternate([oneByOne, ours, together, checked], {
      rounds: quick ? 3 : 9,
      count: quick ? 640 : 6400,
      concurrency: CONCURRENCY,
    })
    const single = await alternate([oneByOne, ours], { rounds: quick ? 3 : 15, count: quick ? 50 : 500, concurrency: 1 })
    finds = 0
    await Promise.all(Array.from({ length: 1000 }, () => ours(1)))
    return {
      tables: [
        tableOf(`Misses on Postgres, ${CONCURRENCY} at a time, a pool of ${POOL}`, many),
        tableOf('Misses on Postgres, one at a time', single),
      ],
      verdicts: verdictsOf(many, single, finds),
    }
  } finally {
    await tokens.close()
    await pool.end()
    await place.remove()
  }
}

function verdictsOf(many: readonly Cost[], single: readonly Cost[], finds: number): Verdict[] {
  return [
    atLeast(
      `misses per second, ${CONCURRENCY} at a time, relative to one query per miss`,
      4,
      ratioOf(many, 'wall', (a, b) => a / b),
      '×',
      whyMany(many),
    ),
    atMost('queries for 1,000 concurrent misses of one token', 1, finds, ''),
    atMost(
      'time of a single miss, relative to the raw driver call',
      1.15,
      ratioOf(single, 'wall', (a, b) => b / a),
      '×',
      WHY_SINGLE,
    ),
  ]
}

function whyMany([single, ours, bare, checked]: readonly Cost[]): string {
  const reached = (cost: Cost | undefined): string => times(ratioOf([single, cost].filter(isThere), 'wall', (a, b) => a / b))
  const cpu = (cost: Cost | undefined): number => quantile(cost?.cpu ?? [], 0.5)
  return `In the same run, the driver alone, running the same statement for the same IDs, reaches ${reached(bare)}. When it also builds the store’s records, checks every field and hashes the token, it reaches ${reached(checked)}. These steps take ${fixed(cpu(checked) - cpu(bare), 1)} µs of CPU time per miss. The other ${fixed(cpu(ours) - cpu(checked), 1)} µs are the cost of the deadline, the circuit breaker, the compiled record and the decision.`
}

const isThere = (cost: Cost | undefined): cost is Cost => cost !== undefined

type Asked = { readonly id: string; readonly resolve: (row: unknown) => void; readonly reject: (error: unknown) => void }

/** Reads all IDs requested in one tick together. */
function gatherer(find: (ids: readonly string[]) => Promise<readonly { readonly id: string }[]>): (id: string) => Promise<unknown> {
  let asked: Asked[] = []
  const send = async (): Promise<void> => {
    const batch = asked
    asked = []
    try {
      const rows = await find(batch.map(({ id }) => id))
      const byId = new Map(rows.map((row) => [row.id, row]))
      for (const { id, resolve } of batch) resolve(byId.get(id))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
  return (id) =>
    new Promise((resolve, reject) => {
      if (asked.length === 0) queueMicrotask(() => void send())
      asked.push({ id, resolve, reject })
    })
}

const WHY_SINGLE =
  'A microtask collects the misses of one tick, a deadline is set and cleared, and every field of the row is checked before it is trusted. With a database on the same machine, which answers within a fraction of a millisecond, this is noticeable.'

type Cost = { readonly wall: readonly number[]; readonly cpu: readonly number[] }
type Options = { readonly rounds: number; readonly count: number; readonly concurrency: number }

/** Time and CPU time of one call in microseconds, in alternating rounds. */
async function alternate(works: readonly ((at: number) => Promise<void>)[], { rounds, count, concurrency }: Options): Promise<Cost[]> {
  const costs = works.map(() => ({ wall: [] as number[], cpu: [] as number[] }))
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, work] of works.entries()) {
      const cpu = process.cpuUsage()
      const began = performance.now()
      let next = 0
      const lane = async (): Promise<void> => {
        while (next < count) {
          next += 1
          await work(next)
        }
      }
      await Promise.all(Array.from({ length: concurrency }, lane))
      if (round < 0) continue
      const { user, system } = process.cpuUsage(cpu)
      costs[index]?.wall.push(((performance.now() - began) / count) * 1000)
      costs[index]?.cpu.push((user + system) / count)
    }
  }
  return costs
}

function ratioOf([raw, ours]: readonly Cost[], by: keyof Cost, of: (raw: number, ours: number) => number): number {
  const ratios = (raw?.[by] ?? []).map((value, round) => of(value, ours?.[by][round] ?? Number.NaN))
  return quantile(ratios, 0.5)
}

function tableOf(title: string, costs: readonly Cost[]): Table {
  const names = [
    'one query per miss, through the driver',
    'latchkey',
    'one query for the misses of a tick, through the driver alone',
    'the same, with the store’s records, their checks and the hash',
  ]
  const rows = costs.map(({ wall, cpu }, at) => {
    const time = quantile(wall, 0.5)
    return [names[at] ?? '', Math.round(1e6 / time).toLocaleString('en'), fixed(time, 1), fixed(quantile(cpu, 0.5), 1)]
  })
  const ratio = times(ratioOf(costs, 'wall', (a, b) => a / b))
  return {
    title: `${title} (${ratio} in the median of paired rounds)`,
    head: ['variant', 'per second (median)', 'µs each', 'CPU µs each, in this process'],
    rows,
  }
}
