import { randomBytes } from 'node:crypto'
import { type FaultReport, redact, type TokenFormat } from 'latchkey'
import { bcryptTokens, betterAuthKeys, djangoTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { foreignTokens } from 'latchkey/jwt'
import { authenticate, requireScopes } from 'latchkey/web'
import { expect, it } from 'vitest'
import { refusal } from '../latchkey/harness.js'
import { accepting } from './world.js'

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
const letters = (count: number): string => Array.from(randomBytes(count), (byte) => String.fromCharCode(97 + (byte % 26))).join('')
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const telling: readonly (readonly [string, TokenFormat, () => string])[] = [
  ['Sanctum', sanctumTokens(), () => `12|${hex(24)}`],
  ['a prefix', sha256Tokens({ name: 'prefixed', prefix: 'skx_' }), () => `skx_${hex(16)}`],
  ['a prefix and a length', plainTokens({ prefix: 'old-key.', length: 28 }), () => `old-key.${hex(10)}`],
  ['bcrypt', bcryptTokens({ prefix: 'bc1_', keyLength: 8, compare: () => true }), () => `bc1_${hex(12)}`],
  ['Better Auth', betterAuthKeys(), () => letters(64)],
  ['Better Auth with a prefix', betterAuthKeys({ name: 'ba', prefix: 'ba_' }), () => `ba_${letters(64)}`],
]
const around: readonly ((token: string) => string)[] = [
  (token) => token,
  (token) => `key ${token}.`,
  (token) => `{"token":"${token}"}`,
  (token) => `line\\n${token}`,
  (token) => `https://x/?k=%22${encodeURIComponent(token)}`,
]

it.each(telling)('refuses an imported token in every stored text if its format is recognizable: %s', async (_, format, make) => {
  const tokens = accepting([format])
  const given = { name: 'ERP', scopes: ['stock:read' as const] }
  const { record } = await tokens.system.create(given)
  for (const write of around) {
    const text = write(make())
    expect(await refusal(tokens.system.create({ ...given, name: text }))).toBe('invalid_input name')
    expect(await refusal(tokens.system.create({ ...given, description: text }))).toBe('invalid_input description')
    expect(await refusal(tokens.system.create({ ...given, tenantId: text }))).toBe('invalid_input tenantId')
    expect(await refusal(tokens.system.create({ ...given, metadata: { [text]: 1 } }))).toBe('invalid_input metadata')
    expect(await refusal(tokens.system.create({ ...given, metadata: { deep: [{ note: text }] } }))).toBe(
      'invalid_input metadata.deep.0.note',
    )
    expect(await refusal(tokens.system.create({ ...given, resources: { site: [text] } }))).toBe('invalid_input resources.site.0')
    expect(await refusal(tokens.system.update(record.id, { name: text }))).toBe('invalid_input name')
    expect(await refusal(tokens.system.revoke(record.id, { reason: text }))).toBe('invalid_input reason')
  }
})

it('refuses an imported token as the name of a resource dimension, and does not repeat it', async () => {
  const tokens = accepting([sha256Tokens({ name: 'prefixed', prefix: 'skx_' })])
  const secret = hex(16)
  const create = tokens.system.create({ name: 'ERP', scopes: ['stock:read'], resources: { [`skx_${secret}`]: ['w1'] } })
  const error: Error = await create.then(
    () => new Error('accepted'),
    (fault) => fault,
  )
  expect(error).toMatchObject({ code: 'invalid_input', field: 'resources' })
  expect(error.message).toContain('looks like a token')
  expect(error.message).not.toContain(secret)
})

it.each(telling)('does not repeat an imported token in the error that reports it: %s', async (_, format, make) => {
  const tokens = accepting([format])
  const token = make()
  const error = await tokens.system.create({ name: 'ERP', scopes: ['stock:read'], expiresIn: token as never, [token]: 1 }).catch(String)
  expect(error).toContain('InvalidInputError')
  expect(error).not.toContain(token)
  expect(redact(`Bearer ${token}`)).not.toContain(token)
})

it('refuses a signed token in text once an instance in this process accepts signed tokens', async () => {
  foreignTokens({ issuer: 'https://id.test', audience: 'api', keys: { url: 'https://id.test/keys' }, principal: () => null } as never)
  const tokens = accepting([sanctumTokens()])
  const signed = `${base64url({ alg: 'RS256', typ: 'JWT' })}.${base64url({ iss: 'https://id.test', sub: 'ada' })}.${hex(64)}`
  expect(await refusal(tokens.system.create({ name: `use ${signed}`, scopes: ['stock:read'] }))).toBe('invalid_input name')
  expect(redact(`Bearer ${signed}`)).toBe('Bearer …')
})

it('stores ordinary text unchanged, whatever formats are accepted', async () => {
  const words = accepting([
    plainTokens({ name: 'word', prefix: 'key' }),
    plainTokens({ name: 'short', prefix: 'k1_', length: [8, 40] }),
    plainTokens({ name: 'long', length: [20, 60] }),
    djangoTokens(),
    ...telling.map(([, format]) => format),
  ])
  const ordinary = [
    'keyboard-shortcuts-of-the-warehouse',
    'monkeyskx_0123456789abcdef',
    'k1_warehouse',
    'https://example.test/a/rather/long/path?of=some&kind=1',
    `deployed from ${hex(20)}`,
    `sha256:${hex(32)}`,
    'A | B, 12|34',
    '7f9c24e8-3b1d-4c55-9a51-0b4f3a7d8e21',
  ]
  for (const text of ordinary) {
    const { record } = await words.system.create({ name: text, scopes: ['stock:read'], metadata: { [text]: text } })
    expect(record).toMatchObject({ name: text, metadata: { [text]: text } })
  }
})

it('searches text with many possible token starts in time linear in its length', () => {
  accepting(telling.map(([, format]) => format))
  foreignTokens({ issuer: 'https://id.test', audience: 'api', keys: { url: 'https://id.test/keys' }, principal: () => null } as never)
  for (const begin of ['skx_', 'skx_-', '12|', '1|1|', 'eyJ-', 'eyJaaaaaaaa.', 'eyJaaaaaaaa.eyJ', 'a', '-']) {
    const text = begin.repeat(Math.ceil(2 ** 20 / begin.length))
    expect(redact(`${text} end`)).toContain(' end')
  }
  // Unterminated headers before an unterminated payload.
  const headers = 'eyJ-'.repeat(200)
  const payload = 'a'.repeat(2 ** 22)
  expect(redact(`${headers}.eyJ${payload} end`)).toContain(' end')
  expect(redact(`${`${headers}.`.repeat(2 ** 12)}.eyJ${payload} end`)).toContain(' end')
})

it('removes signed tokens wherever they begin and end', () => {
  foreignTokens({ issuer: 'https://id.test', audience: 'api', keys: { url: 'https://id.test/keys' }, principal: () => null } as never)
  const signed = `${base64url({ alg: 'RS256' })}.${base64url({ sub: 'ada' })}.${hex(32)}`
  for (const [text, left] of [
    [`a ${signed}, b "${signed}"`, 'a …, b "…"'],
    [`x-${signed}`, 'x-…'],
    [`next=%22${signed}%22`, 'next=%22…%22'],
    [`line\\n${signed}`, 'line\\n…'],
    [`eyJ.${signed}`, 'eyJ.…'],
    [`${'-'.repeat(3000)}${signed}`, `${'-'.repeat(3000)}…`],
    [`word${signed}`, `word${signed}`],
    [`${signed.split('.').slice(0, 2).join('.')}.short`, `${signed.split('.').slice(0, 2).join('.')}.short`],
  ] as const) {
    expect(redact(text)).toBe(left)
  }
})

// A credential without a recognizable format: only the request that presented it shows that the text is a credential.
const KEY = 'Tq7wertzuiopasdfghjk'
const cases: readonly (readonly [string, Record<string, string>, string])[] = [
  ['Bearer', { authorization: `Bearer ${KEY}` }, KEY],
  ['Basic', { authorization: `Basic ${btoa(`somebody:${KEY}`)}` }, btoa(`somebody:${KEY}`)],
  ['a separate header', { 'x-api-key': KEY }, KEY],
]
const options = { credential: ['bearer', 'basic', { header: 'x-api-key' }] } as const

function thrower(text: () => string): {
  faults: FaultReport[]
  lines: string[]
  tokens: ReturnType<typeof accepting>
  fail: (request: Request) => never
} {
  const faults: FaultReport[] = []
  const lines: string[] = []
  const old = plainTokens({ name: 'opaque', length: 20, column: 'key' })
  const tokens = accepting([old], { onError: (fault) => faults.push(fault), logger: { error: (line) => lines.push(line) } })
  return {
    faults,
    lines,
    tokens,
    fail: (request) => {
      const sent = [...request.headers].map((pair) => pair.join(': ')).join('\n')
      throw Object.assign(new Error(`upstream said no to ${sent} and ${text()}`), { code: 'E_UPSTREAM' })
    },
  }
}

/** Everything reported about faults, including the causes nested in errors. */
function told({ faults, lines }: { faults: FaultReport[]; lines: string[] }): string {
  const all: unknown[] = [...lines]
  for (const { error } of faults) {
    for (let each: unknown = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
      all.push(String(each), each instanceof Error ? each.stack : '', JSON.stringify(each))
    }
  }
  return all.join('\n')
}

it.each(cases)('reveals no presented credential if a callback throws it: %s', async (_, headers, secret) => {
  const world = thrower(() => `${encodeURIComponent(secret)} ${secret}`)
  await world.tokens.system.import([{ key: KEY }], { format: 'opaque', map: () => ({ name: 'Old', scopes: ['stock:read'] }) })
  const request = (): Request => new Request('https://api.test/', { headers: { ...headers, cookie: `sid=${KEY}` } })
  const found = await authenticate(world.tokens, request(), { ...options, require: requireScopes('stock:read', { site: world.fail }) })
  expect(found.response?.status).toBe(503)
  const refused = await authenticate(world.tokens, request(), {
    ...options,
    errorBody: (_problem, asked) => world.fail(asked),
    require: requireScopes('billing:read'),
  })
  expect(refused.response?.status).toBe(403)
  await authenticate(world.tokens, request(), { ...options, foreign: (_credential, asked) => world.fail(asked) })
  expect(new Set(world.faults.map(({ where }) => where))).toEqual(new Set(['resources', 'errorBody']))
  expect(told(world)).toContain('upstream said no to')
  expect(told(world)).not.toContain(secret)
  expect(told(world)).not.toContain(KEY)
})

it.each(['resources', 'session', 'foreign'] as const)(
  'copies a latchkey error from a callback, but omits the credential in it: %s',
  async (where) => {
    const { StoreUnavailableError } = await import('latchkey')
    const world = thrower(() => '')
    await world.tokens.system.import([{ key: KEY }], { format: 'opaque', map: () => ({ name: 'Old', scopes: ['stock:read'] }) })
    const throwing = (): never => {
      throw new StoreUnavailableError(`cannot ask for ${KEY}`, new Error(`cannot ask for ${KEY} and other-credential`))
    }
    const shown =
      where === 'session'
        ? { cookie: `sid=${KEY}` }
        : { authorization: `Bearer ${where === 'foreign' ? 'other-credential' : KEY}`, cookie: `sid="${KEY}"` }
    const answer = await authenticate(world.tokens, new Request('https://api.test/', { headers: shown }), {
      ...(where === 'session' && { session: throwing }),
      ...(where === 'foreign' && { foreign: throwing }),
      ...(where === 'resources' && { require: requireScopes('stock:read', { site: throwing }) }),
    })
    expect(answer.response?.status).toBe(503)
    expect(world.faults.map((fault) => fault.where)).toContain(where)
    expect(told(world)).toContain('cannot ask for')
    expect(told(world)).not.toContain(KEY)
  },
)
