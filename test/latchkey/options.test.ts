import { InvalidInputError, type LatchkeyOptions, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { instance, SCOPES } from './harness.js'

const GOOD = { prefix: 'acme_test', store: memoryStore(), scopes: SCOPES }
const PEPPER = 'a pepper of at least thirty-two characters'

const BAD: readonly (readonly [options: object, field: string])[] = [
  [{ prefix: undefined }, 'prefix'],
  [{ prefix: '' }, 'prefix'],
  [{ prefix: 'Acme' }, 'prefix'],
  [{ prefix: 'acme_' }, 'prefix'],
  [{ prefix: '1acme' }, 'prefix'],
  [{ prefix: 'a'.repeat(25) }, 'prefix'],
  [{ store: undefined }, 'store'],
  [{ store: {} }, 'store'],
  [{ store: { ...memoryStore(), commit: undefined } }, 'store'],
  [{ scopes: undefined }, 'scopes'],
  [{ scopes: [] }, 'scopes'],
  [{ scopes: { 'Stock:read': 'x' } }, 'scopes.Stock:read'],
  [{ scopes: { '*': 'x' } }, 'scopes.*'],
  [{ groups: { staff: ['stock:raed'] } }, 'groups.staff.0'],
  [{ implies: { 'stock:write': ['stock:raed'] } }, 'implies.stock:write.0'],
  [{ allowWildcard: 'yes' }, 'allowWildcard'],
  [{ pepper: undefined }, 'pepper'],
  [{ pepper: '' }, 'pepper'],
  [{ pepper: 'short' }, 'pepper'],
  [{ pepper: 'p'.repeat(32) }, 'pepper'],
  [{ pepper: [] }, 'pepper'],
  [{ pepper: [PEPPER, PEPPER] }, 'pepper.1'],
  [{ pepper: false }, 'pepper'],
  [{ pepper: [PEPPER, false, false] }, 'pepper.2'],
  [{ pepper: [PEPPER, undefined] }, 'pepper'],
  [{ owner: undefined }, 'owner'],
  [{ owner: { scopes: ['stock:read'] } }, 'owner'],
  [{ expiry: { required: undefined } }, 'expiry.required'],
  [{ expiry: { max: undefined } }, 'expiry.max'],
  ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '60'].map((value) => [{ expiry: { max: value } }, 'expiry.max'] as const),
  [{ expiry: { default: 61, max: 60 } }, 'expiry.default'],
  [{ expiry: { required: 1 } }, 'expiry.required'],
  [{ expiry: { ttl: 60 } }, 'expiry.ttl'],
  [{ cache: 'quick' }, 'cache'],
  [{ cache: true }, 'cache'],
  [{ cache: { maxStaleness: 0 } }, 'cache.maxStaleness'],
  [{ cache: { maxStaleness: 61 } }, 'cache.maxStaleness'],
  [{ cache: { maxEntries: 0 } }, 'cache.maxEntries'],
  [{ cache: { ttl: 5 } }, 'cache.ttl'],
  [{ cache: { serveStaleFor: -1 } }, 'cache.serveStaleFor'],
  [{ cache: { maxStaleness: '2 s' } }, 'cache.maxStaleness'],
  [{ usage: true }, 'usage'],
  [{ usage: { flushEvery: 0 } }, 'usage.flushEvery'],
  [{ deadline: 0 }, 'deadline'],
  [{ deadline: Number.NaN }, 'deadline'],
  [{ onEvent: 'x' }, 'onEvent'],
  [{ onError: 'x' }, 'onError'],
  ...[true, 'x', {}, null, { error: 'x' }].map((logger) => [{ logger }, 'logger'] as const),
  [{ clock: 5 }, 'clock'],
  [{ random: 5 }, 'random'],
  [{ maxTTL: 60 }, 'maxTTL'],
  [{ Pepper: PEPPER }, 'Pepper'],
]

describe('latchkey()', () => {
  for (const [options, field] of BAD) {
    it(`latchkey() rejects invalid options by name: ${JSON.stringify(Object.entries(options).map(([key, value]) => [key, String(value)]))}`, () => {
      let caught: unknown
      try {
        latchkey({ ...GOOD, ...options } as LatchkeyOptions)
      } catch (error) {
        caught = error
      }
      expect(caught).toBeInstanceOf(InvalidInputError)
      expect((caught as InvalidInputError).field).toBe(field)
    })
  }

  it('latchkey() rejects values that are not an options object', () => {
    for (const options of [undefined, null, 'acme', [], 5]) {
      expect(() => latchkey(options as unknown as LatchkeyOptions)).toThrow(InvalidInputError)
    }
  })

  it('latchkey() does no I/O and ignores later changes to its options', async () => {
    const calls: string[] = []
    const store = new Proxy(memoryStore(), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function'
          ? (...args: unknown[]) => {
              calls.push(String(name))
              return Reflect.apply(value, target, args)
            }
          : value
      },
    })
    const groups: { staff: ('stock:read' | 'billing:read')[] } = { staff: ['stock:read'] }
    const scopes = { ...SCOPES }
    const tokens = instance({ store, groups, scopes })
    expect(calls).toEqual([])
    groups.staff.push('billing:read')
    Reflect.set(scopes, 'root:all', 'x')
    const { settings } = internalsOf(tokens)
    expect(settings.groups).toEqual({ staff: ['stock:read'] })
    expect(Object.keys(tokens.catalogue)).toEqual(Object.keys(SCOPES))
    expect(() => Reflect.apply(Array.prototype.push, settings.groups.staff, ['x'])).toThrow(TypeError)
    expect(Object.isFrozen(tokens)).toBe(true)
    expect(settings).toMatchObject({ groups: { staff: ['stock:read'] }, expiry: { required: false }, allowWildcard: false })
    const { token } = await tokens.system.create({ name: 'x', scopes: ['@staff'] })
    const answer = await tokens.verify(token)
    expect(answer.ok && answer.principal.scopes).toEqual(['stock:read'])
  })

  it('a token with a different prefix or pepper is rejected without a store call', async () => {
    const store = memoryStore()
    let finds = 0
    const counting = {
      ...store,
      find: (ids: readonly string[]) => {
        finds += 1
        return store.find(ids)
      },
    }
    const live = instance({ prefix: 'acme_live', store, pepper: PEPPER })
    const test = instance({ prefix: 'acme_test', store: counting, pepper: PEPPER })
    const other = instance({ prefix: 'acme_live', store: counting, pepper: 'another pepper of at least 32 characters' })
    const plain = instance({ prefix: 'acme_live', store: counting })
    const { token } = await live.system.create({ name: 'x', scopes: [] })
    for (const tokens of [test, other, plain]) {
      expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_malformed' })
    }
    expect(finds).toBe(0)
  })

  it('tokens are verified with every pepper and created with the first, and records show their pepper', async () => {
    const store = memoryStore()
    const [older, newer] = ['the older pepper of 32 characters', 'the newer pepper of 32 characters']
    const before = instance({ store, pepper: older })
    const first = await before.system.create({ name: 'x', scopes: [] })
    const both = instance({ store, pepper: [newer, older] })
    expect(await both.verify(first.token)).toMatchObject({ ok: true })
    const second = await both.system.create({ name: 'y', scopes: [] })
    expect(second.record.pepperId).not.toBe(first.record.pepperId)
    const after = instance({ store, pepper: newer })
    expect(await after.verify(second.token)).toMatchObject({ ok: true })
    expect(await after.verify(first.token)).toMatchObject({ ok: false })
    const rotated = await both.system.rotate(first.record.id)
    expect(rotated.record.pepperId).toBe(second.record.pepperId)
    expect(await after.verify(rotated.token)).toMatchObject({ ok: true })
  })

  it('tokens created without a pepper stay valid while the list includes false', async () => {
    const store = memoryStore()
    const without = instance({ store })
    const old = await without.system.create({ name: 'x', scopes: [] })
    // List false first on every node, so no node rejects tokens that another node has just created.
    const ready = instance({ store, pepper: [false, PEPPER] })
    expect((await ready.system.create({ name: 'y', scopes: [] })).record.pepperId).toBeUndefined()
    const both = instance({ store, pepper: [PEPPER, false] })
    for (const node of [ready, both]) expect(await node.verify(old.token)).toMatchObject({ ok: true })
    expect(old.record.pepperId).toBeUndefined()
    const rotated = await both.system.rotate(old.record.id, { overlap: '1h' })
    expect(rotated.record.pepperId).toMatch(/^[0-9a-f]{8}$/)
    expect(await ready.verify(rotated.token)).toMatchObject({ ok: true })
    const after = instance({ store, pepper: PEPPER })
    expect(await after.verify(old.token)).toEqual({ ok: false, code: 'token_malformed' })
    expect(await after.verify(rotated.token)).toMatchObject({ ok: true })
  })

  it("instances with different prefixes in one store cannot see each other's tokens", async () => {
    const store = memoryStore()
    const live = instance({ prefix: 'acme_live', store })
    const test = instance({ prefix: 'acme_test', store })
    const { token, record } = await live.system.create({ name: 'x', scopes: [] })
    expect(await test.system.get(record.id)).toBeUndefined()
    expect((await test.system.list()).items).toEqual([])
    expect((await test.system.events()).items).toEqual([])
    await expect(test.system.revoke(record.id)).rejects.toMatchObject({ code: 'not_found' })
    expect(await test.system.revokeAll({ all: true })).toEqual({ count: 0 })
    expect(await live.verify(token)).toMatchObject({ ok: true })
  })
})
