import type { AuditHead } from 'latchkey'
import { verifyAuditExport } from 'latchkey/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mysqlStore } from '../../adapters/stores/mysql.js'
import { postgresStore } from '../../adapters/stores/postgres.js'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { sqliteStore } from '../../adapters/stores/sqlite.js'
import type { TokenStore } from '../../src/store/port.js'
import { retain } from '../../src/verbs/retain.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { fc } from '../support/property.js'
import { service } from '../support/services.js'
import { HOUR, type Node, node } from '../verbs/notices-world.js'
import { exported } from './log.js'

type Row = Readonly<Record<string, unknown>>

/** A database that somebody has access to, beside the store that latchkey uses. */
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

/** Another value for a column, of its type. */
function otherThan(column: string, value: unknown): unknown {
  if (NUMBERS.has(column)) return column === 'seq' ? Number(value) + 100_000 : Number(value ?? 0) + 1
  if (JSONS.has(column)) return '{"n":1}'
  if (column === 'salt' && value !== null) return 'f'.repeat(64)
  return `${value ?? ''}x`
}

/** An audit of which retention has removed a part, and of which an owner was erased. */
async function prunedAndErased({ store }: Place): Promise<{ readonly tokens: Node; readonly head: AuditHead }> {
  onTestFinished(() => Promise.resolve(store.close?.()))
  const tokens = node({ store, sealing: { every: '1h' }, retention: { events: '1h' } })
  const { handle, clock, context } = tokens
  const work = async (): Promise<void> => {
    for (const ownerId of ['bob', 'ada']) {
      const { record } = await handle.create({ name: `of ${ownerId}`, scopes: ['stock:read'], ownerId, tenantId: 't1' })
      await handle.update(record.id, { description: `for ${ownerId}` })
      await handle.revoke(record.id, { reason: `${ownerId} left` })
      await handle.sealAudit()
    }
  }
  await work()
  clock.now += 2 * HOUR
  await work()
  await retain(context, clock.now, async () => true)
  await handle.erase({ ownerId: 'bob', tenantId: 't1' })
  return { tokens, head: (await handle.sealAudit()) as AuditHead }
}

async function proveFound(place: Place, numRuns: number): Promise<void> {
  const { tokens, head } = await prunedAndErased(place)
  const { run, quote } = place
  const named = (column: string): string => `${quote}${column}${quote}`
  const honest = await tokens.handle.verifyAudit({ head })
  expect(honest).toMatchObject({ ok: true, behind: 0, problems: [] })
  expect([honest.pruned, honest.erased].every((count) => count >= 3)).toBe(true)
  const rows = await run('select * from latchkey_events order by seq')
  expect(rows.length).toBe(honest.sealed)
  const isFound = async (what: string): Promise<void> => {
    for (const report of [
      await tokens.handle.verifyAudit({ head }),
      await verifyAuditExport(await exported(tokens.handle.exportAudit()), { head }),
    ])
      expect(report.ok, what).toBe(false)
  }
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
        // Behind the last seal it cannot be found, and is counted as such.
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
  expect(await tokens.handle.verifyAudit({ head })).toMatchObject({ ok: true, sealed: honest.sealed })
}

describe('whatever somebody does to the tables of an audit with removed and erased parts is found', () => {
  it('on SQLite', { timeout: 120_000 }, async () => proveFound(await sqlite(), 120))

  it('on Postgres', { timeout: 120_000 }, async ({ skip }) => {
    const place = await postgres()
    if (place === undefined) return skip()
    await proveFound(place, 25)
  })

  it('on MySQL', { timeout: 120_000 }, async ({ skip }) => {
    const place = await mysql()
    if (place === undefined) return skip()
    await proveFound(place, 25)
  })
})
