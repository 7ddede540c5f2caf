import { describe, expect, it, onTestFinished } from 'vitest'
import { mysqlStore } from '../../adapters/stores/mysql.js'
import { postgresStore } from '../../adapters/stores/postgres.js'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { sqliteStore } from '../../adapters/stores/sqlite.js'
import type { TokenStore } from '../../src/store/port.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { fc } from '../support/property.js'
import { service } from '../support/services.js'
import { prunedAndErased } from './pruned-and-erased.js'

type Row = Readonly<Record<string, unknown>>

/** A database that other programs can write to directly, bypassing latchkey's store. */
type Place = {
  readonly store: TokenStore
  readonly quote: '"' | '`'
  run(text: string): Promise<readonly Row[]>
}

async function sqlite(): Promise<Place> {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const file = folder.path('tokens.db')
  const Driver = await findDriver()
  const run = async (text: string): Promise<readonly Row[]> => {
    const database = new Driver(file)
    try {
      const statement = database.prepare(text) as { all(): Row[]; run(): unknown }
      if (text.startsWith('select')) return statement.all()
      statement.run()
      return []
    } finally {
      database.close()
    }
  }
  return { store: sqliteStore(file), quote: '"', run }
}

async function postgres(): Promise<Place | undefined> {
  const { url } = await service('postgres')
  if (url === undefined) return undefined
  const own = await ownSchema(url)
  onTestFinished(own.remove)
  const run = (text: string): Promise<readonly Row[]> => own.query(text.replace(/latchkey_/g, `"${own.schema}".latchkey_`))
  return { store: postgresStore({ url: own.url, schema: own.schema }), quote: '"', run }
}

async function mysql(): Promise<Place | undefined> {
  const { url } = await service('mysql')
  if (url === undefined) return undefined
  const own = await ownDatabase(url)
  onTestFinished(own.remove)
  const run = (text: string): Promise<readonly Row[]> => own.query(text.replace(/latchkey_/g, `${own.schema}.latchkey_`))
  return { store: mysqlStore({ url: own.url }), quote: '`', run }
}

const literal = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
}

const NUMBERS: ReadonlySet<string> = new Set(['at', 'event_count', 'seq'])
const JSONS: ReadonlySet<string> = new Set(['before_fields', 'after_fields', 'details', 'erased'])
const COLUMNS = [
  ...['id', 'at', 'action', 'prefix', 'actor_id', 'token_id', 'tenant_id', 'owner_id', 'created_by', 'ip', 'reason', 'code'],
  ...['event_count', 'before_fields', 'after_fields', 'details', 'bulk_id', 'salt', 'erased', 'seq'],
]

/** Another value of the same type as the column. */
function otherThan(column: string, value: unknown): unknown {
  if (NUMBERS.has(column)) return column === 'seq' ? Number(value) + 100_000 : Number(value ?? 0) + 1
  if (JSONS.has(column)) return '{"n":1}'
  if (column === 'salt' && value !== null) return 'f'.repeat(64)
  return `${value ?? ''}x`
}

async function proveFound(place: Place, numRuns: number): Promise<void> {
  const { tokens, head, sealed, isFound, isHonest } = await prunedAndErased(place.store)
  const { run, quote } = place
  const named = (column: string): string => `${quote}${column}${quote}`
  const rows = await run('select * from latchkey_events order by seq')
  expect(rows.length).toBe(sealed)
  const insert = async (row: Row): Promise<void> => {
    const columns = Object.keys(row)
    await run(
      `insert into latchkey_events (${columns.map(named).join(', ')}) values (${columns.map((each) => literal(row[each])).join(', ')})`,
    )
  }
  const acts = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...COLUMNS) },
    fc.constantFrom('delete', 'insert', 'swap', 'seal', 'no seal'),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...rows), fc.constantFrom(...rows), acts, async (row, other, act) => {
      const at = `where seq = ${row.seq}`
      if (act === 'delete') {
        await run(`delete from latchkey_events ${at}`)
        await isFound(act)
        await insert(row)
      } else if (act === 'insert') {
        await insert({ ...row, id: 'forged', seq: [-7, 0, 1_000_000][Number(other.seq) % 3] })
        // An event inserted after the last seal cannot be detected; it is counted as unsealed.
        if (Number(other.seq) % 3 === 2) expect(await tokens.handle.verifyAudit({ head })).toMatchObject({ ok: true, behind: 1 })
        else await isFound(act)
        await run("delete from latchkey_events where id = 'forged'")
      } else if (act === 'swap') {
        fc.pre(row !== other)
        await run(`delete from latchkey_events where seq in (${row.seq}, ${other.seq})`)
        await insert({ ...row, seq: other.seq })
        await insert({ ...other, seq: row.seq })
        await isFound(act)
        await run(`delete from latchkey_events where seq in (${row.seq}, ${other.seq})`)
        await insert(row)
        await insert(other)
      } else if (act === 'seal' || act === 'no seal') {
        const [seal = {}] = await run(`select * from latchkey_seals order by ${named('number')} limit 1`)
        const first = `where ${named('number')} = ${seal.number}`
        if (act === 'seal') {
          await run(`update latchkey_seals set body = ${literal(String(seal.body).replace('"at":', '"at":1'))} ${first}`)
          await isFound(act)
          await run(`update latchkey_seals set body = ${literal(seal.body)} ${first}`)
        } else {
          await run(`delete from latchkey_seals ${first}`)
          await isFound(act)
          const columns = Object.keys(seal)
          await run(
            `insert into latchkey_seals (${columns.map(named).join(', ')}) values (${columns.map((each) => literal(seal[each])).join(', ')})`,
          )
        }
      } else {
        const made = otherThan(act, row[act])
        await run(`update latchkey_events set ${named(act)} = ${literal(made)} ${at}`)
        await isFound(`${act} of ${row.action} is ${made}`)
        await run(`update latchkey_events set ${named(act)} = ${literal(row[act])} where seq = ${act === 'seq' ? made : row.seq}`)
      }
    }),
    { numRuns, endOnFailure: true },
  )
  await isHonest()
}

// With a byte appended, a searched column no longer matches, but some drivers still read the old value.
describe('text that continues after a NUL', () => {
  it('verification detects text after a NUL in every column on SQLite', { timeout: 120_000 }, async () => {
    const { store, run } = await sqlite()
    const { isFound, isHonest } = await prunedAndErased(store)
    const texts = COLUMNS.filter((column) => !NUMBERS.has(column))
    for (const column of texts) {
      const [row] = await run(`select seq, "${column}" as text from latchkey_events where "${column}" is not null order by seq limit 1`)
      if (row === undefined) continue
      await run(`update latchkey_events set "${column}" = "${column}" || char(0) || 'x' where seq = ${row.seq}`)
      await isFound(`NUL in ${column}`)
      await run(`update latchkey_events set "${column}" = ${literal(row.text)} where seq = ${row.seq}`)
      await isHonest()
    }
  })

  it('verification detects text after a NUL or a trailing space in searched columns on MySQL', { timeout: 120_000 }, async ({ skip }) => {
    const place = await mysql()
    if (place === undefined) return skip()
    const { run } = place
    const { isFound, isHonest } = await prunedAndErased(place.store)
    for (const column of ['tenant_id', 'token_id', 'action', 'created_by', 'bulk_id']) {
      for (const byte of ['char(0)', "' '"]) {
        const [row] = await run(`select seq, ${column} as text from latchkey_events where ${column} is not null order by seq limit 1`)
        if (row === undefined) continue
        await run(`update latchkey_events set ${column} = concat(${column}, ${byte}) where seq = ${row.seq}`)
        await isFound(`${byte} after ${column}`)
        await run(`update latchkey_events set ${column} = ${literal(row.text)} where seq = ${row.seq}`)
      }
    }
    await isHonest()
  })
})

describe('changes to audit log tables with removed and erased parts', () => {
  it('verification detects every change to audit log tables with removed and erased parts on SQLite', { timeout: 120_000 }, async () =>
    proveFound(await sqlite(), 120),
  )

  it('verification detects every change to audit log tables with removed and erased parts on Postgres', { timeout: 120_000 }, async ({
    skip,
  }) => {
    const place = await postgres()
    if (place === undefined) return skip()
    await proveFound(place, 25)
  })

  it('verification detects every change to audit log tables with removed and erased parts on MySQL', { timeout: 120_000 }, async ({
    skip,
  }) => {
    const place = await mysql()
    if (place === undefined) return skip()
    await proveFound(place, 25)
  })
})
