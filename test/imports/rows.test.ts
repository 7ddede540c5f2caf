import { LatchkeyError, type TokenFormat } from 'latchkey'
import { bcryptTokens, betterAuthKeys, djangoTokens, ownTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { instance, refusal, verdict } from '../latchkey/harness.js'
import { compare } from './vectors.js'
import { accepting, IMPORT_KEY, oldToken, outcome, terms } from './world.js'

const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

it('import() reports rows that cannot be imported by position and field, without their contents, and imports the others', async () => {
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

it('import() validates the mapped fields as create() does, and names the invalid field of each row', async () => {
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
    'the result of map()',
    '__proto__',
  ])
  expect(outcome(report)).toEqual({ rows: 7, failed: 7 })
})

it('import() counts each row once as imported, existing, expired, skipped or failed, and lists only 100 problems', async () => {
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

it('import() reports two rows with the same key as a problem, in one batch and in different imports', async () => {
  const format = bcryptTokens({ compare, prefix: 'sk_', keyLength: 8 })
  const tokens = accepting([format])
  const [first, second] = ['F/2/ns1gXABlL.qT0GW7m.Rlwim0u.WUw65Nd5S7YVzFRbHGyfqU.', 'iUX4TlvJaRseo0QB7IRPTeNZFL2qvRtybPAN6ZyzwyL4JEufR..e6']
  const rows = [first, second].map((hash) => ({ prefix: 'sk_Ab3dE', hash: `$2b$04$${hash}` }))
  expect(outcome(await tokens.system.import(rows, { format, map }))).toEqual({ rows: 2, imported: 1, failed: 1 })
  expect(outcome(await tokens.system.import(rows, { format, map }))).toEqual({ rows: 2, existing: 1, failed: 1 })
})

it('import() stores a plain token nowhere, and refuses a row whose mapped fields contain that token', async () => {
  const format = plainTokens({ name: 'any', length: 32 })
  const store = memoryStore()
  const tokens = accepting([format], { store })
  const token = oldToken(1).token.slice(3)
  const spilled = await tokens.system.import([{ token }], { format, map: () => ({ ...map(), metadata: { was: [`key ${token}`] } }) })
  expect(spilled.problems).toEqual([{ row: 1, field: '', message: expect.stringContaining('the mapped fields contain the token') }])
  expect(outcome(await tokens.system.import([{ token }], { format, map }))).toEqual({ rows: 1, imported: 1 })
  expect(await verdict(tokens.verify(token))).toBe('ok')
  const kept = JSON.stringify([store.list({ prefix: 'acme_test', now: 0, limit: 100 }), store.events({ prefix: 'acme_test', limit: 100 })])
  expect(kept).not.toContain(token)
})

it.each([String.raw`pw-7\Tq9\ertzuiop`, 'pw-7"Tq9"ertzuiop'])(
  'import() finds a token with characters that JSON escapes in the mapped fields of its row: %s',
  async (token) => {
    const format = plainTokens({ name: 'any', length: token.length })
    const tokens = accepting([format])
    const terms = [{ name: `was ${token}` }, { metadata: { was: token } }, { ownerId: token }]
    for (const more of terms) {
      const { problems } = await tokens.system.import([{ token }], { format, map: () => ({ ...map(), ...more }) })
      expect(problems).toEqual([{ row: 1, field: '', message: expect.stringContaining('the mapped fields contain the token') }])
    }
    expect(JSON.stringify((await tokens.system.events()).items)).not.toContain('ertzuiop')
  },
)

it('import() names the row and field of a problem without repeating values from the row', async () => {
  const tokens = accepting([old])
  const value = 'Tq7w-ertz.9'
  const spilled: readonly (readonly [string | undefined, object])[] = [
    ['scopes.0', { scopes: [value] }],
    ['scopes.0', { scopes: [`${value}:*`] }],
    ['expiresIn', { expiresIn: value }],
    ['expiresIn', { expiresIn: 7_777_777_777_777 }],
    ['expiresAt', { expiresAt: value }],
    ['notBefore', { notBefore: value }],
    ['allowedIps.0', { allowedIps: [value] }],
    ['allowedIps', { allowedIps: value }],
    ['resources', { resources: value }],
    ['resources', { resources: { [`!${value}`]: ['w1'] } }],
    ['resources', { resources: { [value.replaceAll(/[^A-Za-z]/g, '')]: 7 } }],
    ['metadata', { metadata: value }],
    ['metadata', { metadata: { [value]: { deep: Number.NaN } } }],
    ['rotateEvery', { rotateEvery: value }],
    ['inherit', { inherit: value }],
    ['the result of map()', { [value]: 1 }],
    ['the result of map()', { [`expiresIn${value}`]: 1 }],
  ]
  for (const [field, more] of spilled) {
    const { problems } = await tokens.system.import([{ ...oldToken(1).row, note: value }], {
      format: old,
      map: () => ({ ...map(), ...more }) as never,
    })
    expect(problems).toEqual([{ row: 1, field, message: expect.stringMatching(/./) }])
    for (const part of [value, 'Tq7w', '7777']) expect(JSON.stringify(problems)).not.toContain(part)
  }
  const { problems } = await tokens.system.import([{ ...oldToken(1).row, note: value }], {
    format: old,
    map: (row) => {
      throw new RangeError(`cannot map ${JSON.stringify(row)}`)
    },
  })
  expect(problems).toEqual([
    {
      row: 1,
      message: 'map() failed',
      cause: expect.objectContaining({ name: 'RangeError', message: expect.stringContaining('cannot map') }),
    },
  ])
  expect(String(problems[0]?.cause)).not.toContain(value)
  expect(Reflect.get(Object(problems[0]?.cause), 'stack')).not.toContain(value)
  // A caller who creates a single token does see what was wrong with that token.
  await expect(tokens.system.create({ ...map(), expiresIn: 'soon' as never })).rejects.toThrow('"soon"')
})

it('import() does not repeat the name of an unknown field, but suggests the field that was probably meant', async () => {
  const tokens = accepting([old])
  const [first, second] = [oldToken(1).row, oldToken(2).row]
  const { problems } = await tokens.system.import([first, second], {
    format: old,
    map: ({ hash }) => ({ ...map(), ...(hash === first.hash ? { scope: ['stock:read'] } : { [hash]: 1 }) }) as never,
  })
  expect(problems).toMatchObject([
    { row: 1, message: 'the result of map(): has a field that is not known; did you mean "scopes"?' },
    { row: 2, message: expect.stringMatching(/^the result of map\(\): has a field that is not known; use one of .*\bname\b/) },
  ])
  expect(JSON.stringify(problems)).not.toContain(second.hash)
})

it('a dry run reports the same outcome as an import, and writes nothing', async () => {
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

it('import() continues an interrupted import when it is called again, and streams its rows in one pass', async () => {
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
  // The batch of one hundred whose response was lost had been written.
  expect((a?.imported ?? 0) + (b?.imported ?? 0)).toBe(50)
  expect((a?.existing ?? 0) + (b?.existing ?? 0)).toBe(650)
})

it('maxTokens does not limit imports, but counts imported tokens for later creations', async () => {
  const tokens = accepting([old], { maxTokens: { perOwner: 2 } })
  const rows = Array.from({ length: 3 }, (_, at) => oldToken(at).row)
  expect(outcome(await tokens.system.import(rows, { format: old, map: terms }))).toEqual({ rows: 3, imported: 3 })
  expect(await refusal(tokens.system.create({ name: 'n', scopes: ['stock:read'], ownerId: 'ada' }))).toBe('token_limit_reached ownerId')
})

it('import() requires an accepted format, a mapping, rows, and sufficient permissions', async () => {
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
  ['two formats of the same name', () => accepting([old, old]), 'imports.formats.1'],
  ['an object that is not a format', () => accepting([{} as TokenFormat]), 'imports.formats.0'],
  ['an invalid format name', () => accepting([ownTokens({ name: 'Own One', key: () => 'k', verify: () => true })]), 'imports.formats.0'],
  ['a misspelled option', () => instance({ imports: { key: IMPORT_KEY, format: [old] } as never }), 'imports.format'],
  ['neither prefix nor length', () => sha256Tokens({}), 'prefix'],
  ['a misspelled option of a format', () => sha256Tokens({ prefix: 'sk_', colum: 'x' } as never), 'colum'],
  ['an invalid end', () => sha256Tokens({ prefix: 'sk_', until: 'soon' }), 'until'],
  ['hashed: without_prefix and no prefix', () => sha256Tokens({ length: 40, hashed: 'without_prefix' }), 'hashed'],
])('import() refuses options with %s', (_, make, field) => {
  let error: unknown
  try {
    make()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(LatchkeyError)
  expect((error as LatchkeyError).field).toBe(field)
})

it.each([
  ['sha256Tokens', sha256Tokens({ prefix: 'sk_', column: 'token_hash' }), {}, 'token_hash'],
  ['plainTokens', plainTokens({ prefix: 'sk_' }), {}, 'token'],
  ['sanctumTokens', sanctumTokens(), {}, 'id'],
  ['sanctumTokens', sanctumTokens(), { id: 1 }, 'token'],
  ['djangoTokens', djangoTokens(), {}, 'key'],
  ['betterAuthKeys', betterAuthKeys(), {}, 'key'],
  ['bcryptTokens', bcryptTokens({ compare, prefix: 'sk_', keyLength: 11 }), {}, 'hash'],
  ['bcryptTokens', bcryptTokens({ compare, prefix: 'sk_', keyLength: 11 }), { hash: `$2b$10$${'a'.repeat(53)}` }, 'prefix'],
  ['ownTokens', ownTokens({ name: 'own', key: () => 'k', verify: () => true }), {}, 'key'],
  ['ownTokens', ownTokens({ name: 'own', key: () => 'k', verify: () => true }), { key: 'k' }, 'hash'],
])('a row without a column that %s reads is reported with the names of its columns: %#', async (_, format, row, column) => {
  const report = await accepting([format]).system.import([{ ...row, label: 'secret words', Digest2: 'abc' }], { format, map })
  const names = [...Object.keys(row), 'label', 'Digest2'].join(', ')
  expect(report.problems).toEqual([{ row: 1, field: column, message: `${column}: the row has no column ${column}; it has ${names}` }])
})

it('a column that exists but is empty is not reported as missing', async () => {
  const report = await accepting([old]).system.import([{ hash: undefined }, { hash: null }], { format: old, map })
  for (const { message } of report.problems) expect(message).toMatch(/^hash: must be a hash of 32 bytes/)
})

it('column names that could be cells of a first row are not repeated in the problem', async () => {
  const { token, row } = oldToken(1)
  const rows = [{ [token]: 1 }, { [row.hash]: 1, name: 2 }, { 'ada@example.com': 1 }, { '2030-01-01': 1 }, {}, 'text', ['a']]
  const report = await accepting([old]).system.import(rows, { format: old, map })
  const message = 'hash: the row has no column hash; in a table, the first line must name the columns'
  expect(report.problems.map((problem) => problem.message)).toEqual(rows.map(() => message))
})

it('an error of map() does not repeat values of objects within the row, as ORMs keep them', async () => {
  const secret = 'Hunter2-of-the-row'
  class Model {
    readonly dataValues = { ...oldToken(1).row, password: secret }
    get hash(): string {
      return this.dataValues.hash
    }
    get password(): string {
      return this.dataValues.password
    }
  }
  const { row } = oldToken(2)
  const circular = { ...row, profile: { password: secret, parent: {} } }
  circular.profile.parent = circular
  const rows: readonly object[] = [new Model(), circular, { ...row, lists: [[{ password: secret }]] }]
  const fail = (): never => {
    throw new Error(`cannot map ${secret}`)
  }
  const report = await accepting([old]).system.import(rows, { format: old, map: fail })
  expect(report.problems.map(({ cause }) => String(cause))).toEqual(rows.map(() => 'Error: cannot map …'))
})

it('a problem with a duration does not show the number in the row', async () => {
  const report = await accepting([old]).system.import([oldToken(1).row], { format: old, map: () => ({ ...map(), expiresIn: 1.5 }) })
  expect(report.problems).toEqual([{ row: 1, field: 'expiresIn', message: 'expiresIn: must be whole seconds, not the value' }])
})
