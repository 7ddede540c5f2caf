import { LatchkeyError, type TokenFormat } from 'latchkey'
import { bcryptTokens, ownTokens, plainTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { instance, refusal, verdict } from '../latchkey/harness.js'
import { compare } from './vectors.js'
import { accepting, IMPORT_KEY, oldToken, outcome, terms } from './world.js'

const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

it('rows that cannot be imported are told by position and field, without what they hold, and stop nothing', async () => {
  const tokens = accepting([old])
  const { row } = oldToken(1)
  const hostile: readonly unknown[] = [
    null,
    7,
    'text',
    {},
    { hash: 12 },
    { hash: 'a'.repeat(100_000) },
    { hash: `${row.hash}00` },
    Object.defineProperty({}, 'hash', {
      get: () => {
        throw new Error(row.hash)
      },
    }),
    new Proxy({}, { get: () => row }),
    JSON.parse(`{"__proto__": {"hash": "${row.hash}"}}`),
  ]
  const report = await tokens.system.import([...hostile, row], { format: old, map })
  expect(outcome(report)).toEqual({ rows: 11, failed: 10, imported: 1 })
  expect(report.problems.map(({ row: at, field }) => [at, field])).toEqual(hostile.map((_, at) => [at + 1, 'hash']))
  expect(JSON.stringify(report)).not.toContain(row.hash)
})

it('terms are read like those of create, and each row that breaks a rule names it', async () => {
  const tokens = accepting([old], { expiry: { max: '365d' } })
  const bad: readonly object[] = [
    { name: '', scopes: ['stock:read'], expiresIn: '1d' },
    { name: 'x', scopes: ['nope'], expiresIn: '1d' },
    { name: 'x', scopes: ['stock:read'] },
    { name: 'x', expiresIn: '1d' },
    { name: 'x', scopes: ['stock:read'], expiresIn: '1d', idempotencyKey: 'k' },
    { name: 'x', scopes: ['stock:read'], expiresIn: '1d', admin: true },
    JSON.parse('{"name": "x", "__proto__": {}}'),
  ]
  const rows = bad.map((given, at) => ({ ...oldToken(at).row, given }))
  const report = await tokens.system.import(rows, { format: old, map: ({ given }) => given as ReturnType<typeof map> })
  expect(report.problems.map(({ field }) => field)).toEqual([
    'name',
    'scopes.0',
    'expiresAt',
    'scopes',
    'idempotencyKey',
    'admin',
    '__proto__',
  ])
  expect(outcome(report)).toEqual({ rows: 7, failed: 7 })
})

it('a row counts once: imported, existing, expired, skipped or failed, and only 100 problems are listed', async () => {
  const tokens = accepting([old])
  const [a, b, c] = [oldToken(1).row, oldToken(2).row, oldToken(3).row]
  const cause = new TypeError('bad row')
  const rows = [a, a, b, c, ...Array.from({ length: 150 }, (_, at) => oldToken(at + 10).row)]
  const report = await tokens.system.import(rows, {
    format: old,
    map: (row) => {
      if (row === b) return undefined
      if (row === c) return { ...terms(row), expiresAt: '2020-01-01T00:00:00Z' }
      if (row.id >= 10) throw cause
      return terms(row)
    },
  })
  expect(outcome(report)).toEqual({ rows: 154, imported: 1, existing: 1, skipped: 1, expired: 1, failed: 150 })
  expect(report.problems).toHaveLength(100)
  expect(report.problems[0]).toEqual({ row: 5, message: 'map() failed', cause })
})

it('two rows with one key are a problem, in one batch and in different imports', async () => {
  const format = bcryptTokens({ compare, prefix: 'sk_', keyLength: 8 })
  const tokens = accepting([format])
  const [first, second] = ['F/2/ns1gXABlL.qT0GW7m.Rlwim0u.WUw65Nd5S7YVzFRbHGyfqU.', 'iUX4TlvJaRseo0QB7IRPTeNZFL2qvRtybPAN6ZyzwyL4JEufR..e6']
  const rows = [first, second].map((hash) => ({ prefix: 'sk_Ab3dE', hash: `$2b$04$${hash}` }))
  expect(outcome(await tokens.system.import(rows, { format, map }))).toEqual({ rows: 2, imported: 1, failed: 1 })
  expect(outcome(await tokens.system.import(rows, { format, map }))).toEqual({ rows: 2, existing: 1, failed: 1 })
})

it('a plain token is in nothing that is kept, and a row whose terms hold it is refused', async () => {
  const format = plainTokens({ prefix: 'sk_' })
  const store = memoryStore()
  const tokens = accepting([format], { store })
  const { token } = oldToken(1)
  const spilled = await tokens.system.import([{ token }], { format, map: () => ({ ...map(), metadata: { was: [`key ${token}`] } }) })
  expect(spilled.problems).toEqual([{ row: 1, field: '', message: expect.stringContaining('the terms contain the token') }])
  expect(outcome(await tokens.system.import([{ token }], { format, map }))).toEqual({ rows: 1, imported: 1 })
  expect(await verdict(tokens.verify(token))).toBe('ok')
  const kept = JSON.stringify([store.list({ prefix: 'acme_test', now: 0, limit: 100 }), store.events({ prefix: 'acme_test', limit: 100 })])
  expect(kept).not.toContain(token.slice(3))
})

it('a dry run tells the same and writes nothing', async () => {
  const store = faultyStore(memoryStore())
  const tokens = accepting([old], { store })
  const made = Array.from({ length: 230 }, (_, at) => oldToken(at))
  const rows = made.map(({ row }) => row)
  expect(outcome(await tokens.system.import(rows, { format: old, map, dryRun: true }))).toEqual({ rows: 230, imported: 230 })
  expect(store.calls.filter(({ method }) => method === 'commit')).toEqual([])
  expect(await verdict(tokens.verify(made[0]?.token ?? ''))).toBe('token_unknown')
  await tokens.system.import(rows.slice(0, 30), { format: old, map })
  expect(outcome(await tokens.system.import(rows, { format: old, map, dryRun: true }))).toEqual({ rows: 230, imported: 200, existing: 30 })
})

it('an import that broke off goes on when it is called again, in one pass over a stream that is read as it is written', async () => {
  const store = faultyStore(memoryStore())
  const tokens = accepting([old], { store })
  const rows = Array.from({ length: 350 }, (_, at) => oldToken(at).row)
  let ahead = 0
  let read = 0
  const stream = async function* () {
    for (const row of rows) {
      read += 1
      ahead = Math.max(ahead, read - done)
      yield row
    }
  }
  let done = 0
  const broken = tokens.system.import(stream(), {
    format: old,
    map,
    onProgress: ({ imported }) => {
      done = imported
      if (imported === 200) throw new RangeError('enough')
    },
  })
  await expect(broken).rejects.toThrow(RangeError)
  expect(ahead).toBeLessThanOrEqual(100)
  store.behave({ commit: { do: 'fail-after', error: new Error('reset') } })
  expect(await refusal(tokens.system.import(rows, { format: old, map }))).toBe('store_unavailable undefined')
  store.behave()
  const [a, b] = await Promise.all([1, 2].map(() => tokens.system.import(rows, { format: old, map })))
  // The hundred that was written before the answer got lost is there.
  expect((a?.imported ?? 0) + (b?.imported ?? 0)).toBe(50)
  expect((a?.existing ?? 0) + (b?.existing ?? 0)).toBe(650)
})

it('what is imported does not count against maxTokens, and what is made later counts it', async () => {
  const tokens = accepting([old], { maxTokens: { perOwner: 2 } })
  const rows = Array.from({ length: 3 }, (_, at) => oldToken(at).row)
  expect(outcome(await tokens.system.import(rows, { format: old, map: terms }))).toEqual({ rows: 3, imported: 3 })
  expect(await refusal(tokens.system.create({ name: 'n', scopes: ['stock:read'], ownerId: 'ada' }))).toBe('token_limit_reached ownerId')
})

it('an import is refused without the format, without the reach, and without rows', async () => {
  const tokens = accepting([old])
  const other = sha256Tokens({ name: 'other', prefix: 'sk_' })
  const bring = (rows: unknown, input: object): Promise<string> => refusal(tokens.system.import(rows as [], input as never))
  expect(await bring([], { format: other, map })).toBe('invalid_input format')
  expect(await bring([], { format: 'none', map })).toBe('invalid_input format')
  expect(await bring([], { format: old })).toBe('invalid_input map')
  expect(await bring('rows', { format: old, map })).toBe('invalid_input rows')
  expect(await bring(undefined, { format: old, map })).toBe('invalid_input rows')
  expect(await bring([], { format: old, map, dryRun: undefined })).toBe('invalid_input dryRun')
  expect(await refusal(instance().system.import([], { format: old, map }))).toBe('invalid_input format')
  const someone = tokens.as({ id: 'ada', tenants: ['t1'], manages: 'all' })
  expect(await refusal(someone.import([], { format: old, map }))).toBe('grant_denied actor')
  const narrow = tokens.as({ id: 'ada', tenants: '*', manages: 'all', scopes: ['billing:read'] })
  const report = await narrow.import([oldToken(1).row], { format: old, map })
  expect(report.problems.map(({ field }) => field)).toEqual(['scopes'])
})

it.each<[string, () => unknown, string]>([
  ['a short key', () => accepting([old], { imports: { key: 'short', formats: [old] } }), 'imports.key'],
  ['no format', () => accepting([]), 'imports.formats'],
  ['two formats of one name', () => accepting([old, old]), 'imports.formats.1'],
  ['no format at all', () => accepting([{} as TokenFormat]), 'imports.formats.0'],
  [
    'a name that no record keeps',
    () => accepting([ownTokens({ name: 'Own One', key: () => 'k', verify: () => true })]),
    'imports.formats.0',
  ],
  ['a misspelled option', () => instance({ imports: { key: IMPORT_KEY, format: [old] } as never }), 'imports.format'],
  ['neither prefix nor length', () => sha256Tokens({}), 'prefix'],
  ['a misspelled option of a format', () => sha256Tokens({ prefix: 'sk_', colum: 'x' } as never), 'colum'],
  ['an end that is none', () => sha256Tokens({ prefix: 'sk_', until: 'soon' }), 'until'],
  ['a prefix that was not hashed, and is not there', () => sha256Tokens({ length: 40, hashed: 'without_prefix' }), 'hashed'],
])('options are refused with %s', (_, make, field) => {
  let error: unknown
  try {
    make()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(LatchkeyError)
  expect((error as LatchkeyError).field).toBe(field)
})
