import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, refusal, type Scope } from '../latchkey/harness.js'

const NOW = Date.UTC(2030, 0, 1)

type Row = readonly [input: unknown, field: string]

const INSTANTS: readonly unknown[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  Math.floor(NOW / 1000) + 60,
  NOW * 1000,
  NOW + 0.5,
  '2030-02-30T00:00:00Z',
  '2030-02-30',
  '2030-01-02',
  '',
  'tomorrow',
  '+275760-09-13T00:00:00Z',
  8.64e15,
  new Date(Number.NaN),
  new Date(8.64e15),
  true,
  {},
  [],
  () => NOW + 60_000,
]

const CREATE: readonly Row[] = [
  ...INSTANTS.map((value): Row => [{ expiresAt: value }, 'expiresAt']),
  ...INSTANTS.map((value): Row => [{ notBefore: value }, 'notBefore']),
  [{ expiresAt: NOW - 1 }, 'expiresAt'],
  [{ expiresAt: NOW }, 'expiresAt'],
  [{ expiresAt: NOW + 86_400_001 }, 'expiresAt'],
  [{ expiresIn: 86_401 }, 'expiresAt'],
  [{ expiresIn: 60, expiresAt: NOW + 60_000 }, 'expiresIn'],
  [{ expiresIn: 60, notBefore: NOW + 60_000 }, 'notBefore'],
  ...[0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '60', NOW, {}].map((value): Row => [{ expiresIn: value }, 'expiresIn']),
  ...[0, -1, 0.5, 3599, '59m', Number.NaN, '60', NOW].map((value): Row => [{ rotateEvery: value }, 'rotateEvery']),
  ...['', 5, null, undefined, 'a\u0000b', 'a\nb', '\ud800', 'x'.repeat(201)].map((value): Row => [{ name: value }, 'name']),
  [{ description: 'x'.repeat(1001) }, 'description'],
  [{ tenantId: '' }, 'tenantId'],
  [{ tenantId: null }, 'tenantId'],
  [{ ownerId: 7 }, 'ownerId'],
  ...[undefined, null, 'stock:read', {}].map((value): Row => [{ scopes: value }, 'scopes']),
  [{ scopes: ['stock:raed'] }, 'scopes.0'],
  [{ scopes: ['stock:read', 'STOCK:READ'] }, 'scopes.1'],
  [{ scopes: ['*'] }, 'scopes.0'],
  [{ scopes: ['none:*'] }, 'scopes.0'],
  [{ scopes: ['@staff'] }, 'scopes.0'],
  [{ scopes: [null] }, 'scopes.0'],
  [{ scopes: ['__proto__'] }, 'scopes.0'],
  [{ scopes: Array.from({ length: 101 }, () => 'stock:read') }, 'scopes'],
  [{ resources: [] }, 'resources'],
  [{ resources: { w: 'w1' } }, 'resources.w'],
  [{ resources: { w: [''] } }, 'resources.w.0'],
  [{ resources: { '': ['x'] } }, 'resources'],
  [{ resources: JSON.parse('{"__proto__": ["x"]}') }, 'resources'],
  [{ allowedIps: '10.0.0.1' }, 'allowedIps'],
  [{ allowedIps: ['10.0.0.1', '10.0.0'] }, 'allowedIps.1'],
  [{ allowedIps: ['10.0.0.0/33'] }, 'allowedIps.0'],
  [{ metadata: [] }, 'metadata'],
  [{ metadata: 'x' }, 'metadata'],
  [{ metadata: { at: new Date() } }, 'metadata.at'],
  [{ metadata: { x: Number.NaN } }, 'metadata.x'],
  [{ metadata: { x: 'y '.repeat(8_500) } }, 'metadata'],
  [{ idempotencyKey: '' }, 'idempotencyKey'],
  [{ idempotencyKey: 5 }, 'idempotencyKey'],
  [{ secret: 'x' }, 'secret'],
  [{ id: 'A'.repeat(16) }, 'id'],
  [{ revokedAt: NOW }, 'revokedAt'],
  [JSON.parse('{"__proto__": {"admin": true}}'), '__proto__'],
]

const UPDATE: readonly Row[] = [
  ...INSTANTS.map((value): Row => [{ expiresAt: value }, 'expiresAt']),
  [{ expiresAt: NOW - 1 }, 'expiresAt'],
  [{ expiresAt: null }, 'expiresAt'],
  [{ expiresAt: NOW + 86_400_001 }, 'expiresAt'],
  [{ name: null }, 'name'],
  [{ name: '' }, 'name'],
  [{ scopes: null }, 'scopes'],
  [{ scopes: ['stock:raed'] }, 'scopes.0'],
  [{ tenantId: 't2' }, 'tenantId'],
  [{ ownerId: 'u2' }, 'ownerId'],
  [{ id: 'x' }, 'id'],
  [{ revokedAt: null }, 'revokedAt'],
  [{ status: 'active' }, 'status'],
  [{ version: 9 }, 'version'],
  [{ replacedById: null }, 'replacedById'],
  [{ digest: 'x' }, 'digest'],
]

/** Everything in the store, as text. */
async function dump(store: TokenStore): Promise<string> {
  const list = await store.list({ prefix: 'acme_test', now: NOW, limit: 1001 })
  const events = await store.events({ prefix: 'acme_test', limit: 1001 })
  const feed = await store.changes(undefined, 1)
  return JSON.stringify([list, await store.find(list.map(({ id }) => id)), events, feed.cursor])
}

async function start(): Promise<{ tokens: Latchkey<Scope>; store: TokenStore; id: string }> {
  const store = memoryStore()
  const tokens = instance({ store, clock: () => NOW, expiry: { max: 86_400 } })
  const { record } = await mint(tokens, { expiresIn: 3600 })
  return { tokens, store, id: record.id }
}

const show = (input: unknown): string =>
  `${typeof input} ${JSON.stringify(input)?.slice(0, 60)} ${String(Object.values(Object(input))[0]).slice(0, 40)}`

describe('bad input', () => {
  for (const [input, field] of CREATE) {
    it(`refuses create with ${show(input)}, names the field, and changes nothing`, async () => {
      const { tokens, store } = await start()
      const before = await dump(store)
      const given = Object.hasOwn(Object(input), '__proto__')
        ? input
        : { name: 'x', scopes: ['stock:read'], expiresIn: 60, ...without(input), ...Object(input) }
      expect(await refusal(tokens.system.create(given as never))).toBe(`invalid_input ${field}`)
      expect(await dump(store)).toBe(before)
    })
  }

  for (const [input, field] of UPDATE) {
    it(`refuses update with ${show(input)}, names the field, and changes nothing`, async () => {
      const { tokens, store, id } = await start()
      const before = await dump(store)
      expect(await refusal(tokens.system.update(id, { description: 'y', ...Object(input) }))).toBe(`invalid_input ${field}`)
      expect(await dump(store)).toBe(before)
    })
  }

  it('refuses bad input of every verb, names the field, and changes nothing', async () => {
    const { tokens, store, id } = await start()
    const before = await dump(store)
    const odd = <T>(value: unknown): T => value as T
    const calls: readonly (readonly [Promise<unknown>, string])[] = [
      [tokens.system.create(odd(undefined)), 'create()'],
      [tokens.system.create(odd(null)), 'create()'],
      [tokens.system.create(odd([])), 'create()'],
      [tokens.system.create(odd('x')), 'create()'],
      [tokens.system.update(id, odd(null)), 'update()'],
      [tokens.system.rotate(id, { overlap: -1 }), 'overlap'],
      [tokens.system.rotate(id, { overlap: Number.NaN }), 'overlap'],
      [tokens.system.rotate(id, { overlap: 60_000_000 }), 'overlap'],
      [tokens.system.rotate(id, odd({ overlapSeconds: 5 })), 'overlapSeconds'],
      [tokens.system.rotate(id, { idempotencyKey: odd('') }), 'idempotencyKey'],
      [tokens.system.revoke(id, { reason: '' }), 'reason'],
      [tokens.system.revoke(id, { reason: 'a\u0000' }), 'reason'],
      [tokens.system.revoke(id, odd({ waitForNodes: 1 })), 'waitForNodes'],
      [tokens.system.revoke(id, odd({ because: 'x' })), 'because'],
      [tokens.system.list(odd({ limit: 0 })), 'limit'],
      [tokens.system.list(odd({ limit: 1001 })), 'limit'],
      [tokens.system.list(odd({ limit: 1.5 })), 'limit'],
      [tokens.system.list(odd({ status: 'gone' })), 'status'],
      [tokens.system.list(odd({ tenantId: null })), 'tenantId'],
      [tokens.system.list({ tenantId: 'a\u0000' }), 'tenantId'],
      [tokens.system.list({ name: '\u0000' }), 'name'],
      [tokens.system.list(odd({ tenant: 't1' })), 'tenant'],
      [tokens.system.list({ expiresWithin: -1 }), 'expiresWithin'],
      [tokens.system.list({ unusedFor: Number.NaN }), 'unusedFor'],
      [tokens.system.list({ cursor: 'x' }), 'cursor'],
      [tokens.system.events(odd({ action: 'drop' })), 'action'],
      [tokens.system.events({ tokenId: '\u0000' }), 'tokenId'],
      [tokens.system.events({ cursor: '1-abc' }), 'cursor'],
      [tokens.system.usage(id, { from: 5 }), 'from'],
      [tokens.system.usage(id, { from: NOW, to: NOW }), 'from'],
      [tokens.system.usage(id, odd({ since: NOW })), 'since'],
      [tokens.system.ownerChanged({ ownerId: '' }), 'ownerId'],
      [tokens.system.ownerChanged({ ownerId: odd(undefined) }), 'ownerId'],
      [tokens.system.prune({ before: 'yesterday' }), 'before'],
      [tokens.system.prune({ before: '2199-01-01T00:00:00Z' }), 'before'],
      [tokens.system.get(odd(5)), 'id'],
      [tokens.system.revoke(odd(undefined)), 'id'],
    ]
    const refused = await Promise.all(calls.map(([call]) => refusal(call)))
    for (const [at, [, field]] of calls.entries()) expect(refused[at], `call ${at}`).toBe(`invalid_input ${field}`)
    for (const id of ['', 'x', '\u0000'.repeat(16), 'A'.repeat(17), '../../etc/passwd']) {
      expect(await tokens.system.get(id)).toBeUndefined()
      expect(await refusal(tokens.system.revoke(id))).toBe('not_found undefined')
    }
    expect(await dump(store)).toBe(before)
  })

  it('refuses a token without an expiry if the options require one', async () => {
    for (const options of [{ expiry: { required: true } }, { expiry: { max: 60 } }]) {
      const tokens = instance(options)
      expect(await refusal(mint(tokens))).toBe('invalid_input expiresAt')
      const { record } = await mint(tokens, { expiresIn: 60 })
      expect(await refusal(tokens.system.update(record.id, { expiresAt: null }))).toBe('invalid_input expiresAt')
    }
    expect((await mint(instance({ expiry: { required: true, default: 60 } }))).record.expiresAt).toBeDefined()
  })
})

describe('a cursor', () => {
  it('pages through a list or the events once, and accepts a cursor only for its own query and actor', async () => {
    const { tokens } = await start()
    for (let n = 0; n < 6; n += 1) await mint(tokens, { expiresIn: 60, tenantId: 't1' })
    const first = await tokens.system.list({ limit: 3 })
    const second = await tokens.system.list({ limit: 3, cursor: first.nextCursor })
    const third = await tokens.system.list({ limit: 100, cursor: second.nextCursor })
    const all = [...first.items, ...second.items, ...third.items]
    expect(new Set(all.map(({ id }) => id)).size).toBe(7)
    expect(third.nextCursor).toBeUndefined()
    const { nextCursor: cursor } = first
    expect(await refusal(tokens.system.list({ cursor, tenantId: 't1' }))).toBe('invalid_input cursor')
    expect(await refusal(tokens.system.events({ cursor }))).toBe('invalid_input cursor')
    expect(await refusal(tokens.as({ id: 'a', tenants: ['t1'], manages: 'all' }).list({ cursor }))).toBe('invalid_input cursor')
    expect(await refusal(tokens.system.list({ cursor: `${cursor}x` }))).toBe('invalid_input cursor')
    const told = await tokens.system.events({ limit: 3 })
    const rest = await tokens.system.events({ limit: 100, cursor: told.nextCursor })
    expect(new Set([...told.items, ...rest.items].map(({ id }) => id)).size).toBe(7)
  })
})

// The good input includes `expiresIn`, to give the token an expiry. `expiresIn` is left out if the tested input has its own expiry.
function without(input: unknown): { expiresIn?: undefined } {
  return 'expiresAt' in Object(input) && !('expiresIn' in Object(input)) ? { expiresIn: undefined } : {}
}
