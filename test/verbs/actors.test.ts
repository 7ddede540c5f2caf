import type { Actor, Latchkey, TokenHandle } from 'latchkey'
import { beforeEach, describe, expect, it } from 'vitest'
import { instance, mint, refusal, type Scope } from '../latchkey/harness.js'

type By = { readonly actor: Actor | 'system' }

const SYSTEM = { actor: 'system' } as const

const WHO = {
  system: SYSTEM,
  superadmin: { actor: { id: 'root', tenants: '*', manages: 'all' } },
  admin: { actor: { id: 'ann', tenants: ['t1'], manages: 'all' } },
  partner: { actor: { id: 'pat', tenants: ['t1', 't2'], manages: 'all' } },
  own: { actor: { id: 'bob', tenants: ['t1'], manages: 'own' } },
  nowhere: { actor: { id: 'nil', tenants: [], manages: 'all' } },
} as const satisfies { readonly [who: string]: By }

type Who = keyof typeof WHO

/** The tokens by where they are and who made them. */
const TOKENS = ['t1', 't2', 't3', 'none', 'bobs in t1', 'bobs in t2'] as const

const SEES: { readonly [who in Who]: readonly (typeof TOKENS)[number][] } = {
  system: TOKENS,
  superadmin: TOKENS,
  admin: ['t1', 'bobs in t1'],
  partner: ['t1', 't2', 'bobs in t1', 'bobs in t2'],
  own: ['bobs in t1'],
  nowhere: [],
}

let tokens: Latchkey<Scope>

const as = ({ actor }: By): TokenHandle<Scope> => (actor === 'system' ? tokens.system : tokens.as(actor))
let ids: { readonly [token: string]: string }

beforeEach(async () => {
  tokens = instance()
  const bob = (tenantId: string): By => ({ actor: { id: 'bob', tenants: [tenantId], manages: 'own' } })
  const make = async (tenantId: string | undefined, by: By) =>
    (await as(by).create({ name: 'x', scopes: ['stock:read'], ...(tenantId !== undefined && { tenantId }) })).record.id
  ids = {
    t1: await make('t1', SYSTEM),
    t2: await make('t2', SYSTEM),
    t3: await make('t3', SYSTEM),
    none: await make(undefined, SYSTEM),
    'bobs in t1': await make('t1', bob('t1')),
    'bobs in t2': await make('t2', bob('t2')),
  }
})

describe('what an actor may not see', () => {
  for (const who of Object.keys(WHO) as Who[]) {
    it(`looks like what does not exist: ${who}`, async () => {
      const by = WHO[who]
      for (const token of TOKENS) {
        const id = ids[token] ?? ''
        const seen = SEES[who].includes(token)
        const before = JSON.stringify(await tokens.system.get(id))
        expect((await as(by).get(id)) !== undefined, `get ${token}`).toBe(seen)
        const verbs: { readonly [verb: string]: () => Promise<unknown> } = {
          usage: () => as(by).usage(id),
          update: () => as(by).update(id, { name: 'y' }),
          deactivate: () => as(by).deactivate(id),
          activate: () => as(by).activate(id),
          rotate: () => as(by).rotate(id, { overlap: 60 }),
          revoke: () => as(by).revoke(id),
        }
        for (const [verb, call] of Object.entries(verbs)) {
          expect(await refusal(call()), `${verb} ${token}`).toBe(seen ? 'done' : 'not_found undefined')
        }
        if (!seen) expect(JSON.stringify(await tokens.system.get(id))).toBe(before)
        const known = (await as(by).events({ tokenId: id })).items
        expect(known.length > 0, `events of ${token}`).toBe(seen)
      }
    })

    it(`is left out of lists, events and bulk revocations: ${who}`, async () => {
      const by = WHO[who]
      const seen = SEES[who].map((token) => ids[token]).sort()
      expect((await as(by).list()).items.map(({ id }) => id).sort()).toEqual(seen)
      const told = (await as(by).events({ action: 'token.created' })).items.map(({ tokenId }) => tokenId)
      expect(told.sort()).toEqual(seen)
      for (const tenantId of ['t1', 't2', 't3']) {
        const there = SEES[who].filter((token) => token === tenantId || token === `bobs in ${tenantId}`).map((token) => ids[token])
        expect((await as(by).list({ tenantId })).items.map(({ id }) => id).sort()).toEqual(there.sort())
      }
      expect((await as(by).list({ createdBy: 'system' })).items).toHaveLength(SEES[who].filter((token) => !token.startsWith('bobs')).length)
      expect(await as(by).revokeAll({ all: true })).toEqual({ count: seen.length })
      const gone = (await tokens.system.list({ status: 'revoked' })).items.map(({ id }) => id)
      expect(gone.sort()).toEqual(seen)
    })
  }
})

describe('what an actor may hand out', () => {
  const base = { name: 'x', scopes: ['stock:read'] } as const
  const some = (more: Partial<Actor>): By => ({ actor: { id: 'ann', tenants: '*', manages: 'all', ...more } })
  const cases: readonly (readonly [string, By, object, string])[] = [
    ['another tenant', WHO.admin, { tenantId: 't2' }, 'grant_denied tenantId'],
    ['all tenants', WHO.admin, {}, 'grant_denied tenantId'],
    ['one of two tenants', WHO.partner, { tenantId: 't2' }, 'done'],
    ['all tenants, as a superadmin', WHO.superadmin, {}, 'done'],
    ['anything, without a tenant', WHO.nowhere, { tenantId: 't1' }, 'grant_denied tenantId'],
    ['a token of somebody else', WHO.own, { tenantId: 't1', ownerId: 'ann' }, 'grant_denied ownerId'],
    ['a token of its own', WHO.own, { tenantId: 't1', ownerId: 'bob' }, 'done'],
    ['a scope that it holds', some({ scopes: ['stock:read'] }), {}, 'done'],
    ['a scope that it does not hold', some({ scopes: ['stock:write'] }), {}, 'grant_denied scopes'],
    ['anything, holding no scope', some({ scopes: [] }), {}, 'grant_denied scopes'],
    ['nothing, holding no scope', some({ scopes: [] }), { scopes: [] }, 'done'],
    ['a wildcard over what it holds', some({ scopes: ['stock:read', 'stock:write'] }), { scopes: ['stock:*'] }, 'grant_denied scopes'],
    ['its own wildcard', some({ scopes: ['stock:*'] }), { scopes: ['stock:*', 'stock:read'] }, 'done'],
    ['data within its own', some({ resources: { w: ['1', '2'] } }), { resources: { w: ['1'] } }, 'done'],
    ['data beyond its own', some({ resources: { w: ['1'] } }), { resources: { w: ['1', '2'] } }, 'grant_denied resources'],
    ['all data', some({ resources: { w: ['1'] } }), {}, 'grant_denied resources'],
    ['other dimensions of data', some({ resources: { w: ['1'] } }), { resources: { v: ['1'] } }, 'grant_denied resources'],
  ]
  for (const [what, by, input, outcome] of cases) {
    it(`${outcome === 'done' ? 'includes' : 'excludes'} ${what}`, async () => {
      const before = (await tokens.system.list({ limit: 1000 })).items.length
      expect(await refusal(as(by).create({ ...base, ...input }))).toBe(outcome)
      expect((await tokens.system.list({ limit: 1000 })).items.length - before).toBe(outcome === 'done' ? 1 : 0)
    })
  }

  it('makes tokens follow the permissions of who may only manage its own', async () => {
    const made = await as(WHO.own).create({ ...base, tenantId: 't1' })
    expect(made.record).toMatchObject({ ownerId: 'bob', createdBy: 'bob' })
  })

  it('excludes a new secret for what it could not create', async () => {
    const { record } = await mint(tokens, { scopes: ['stock:read', 'billing:read'] })
    expect(await refusal(as(some({ scopes: ['stock:read'] })).rotate(record.id))).toBe('grant_denied scopes')
    const wide = await mint(tokens)
    expect(await refusal(as(some({ resources: { w: ['1'] } })).rotate(wide.record.id))).toBe('grant_denied resources')
    expect((await tokens.system.get(record.id))?.replacedById).toBeUndefined()
  })
})

describe('what an actor may add to a token that can do more than itself', () => {
  const ann: By = { actor: { id: 'ann', tenants: '*', manages: 'all', scopes: ['stock:read', 'stock:write'], resources: { w: ['1'] } } }
  const at = (seconds: number) => Date.now() + seconds * 1000
  const cases: readonly (readonly [string, object, object, string])[] = [
    ['a name', {}, { name: 'y' }, 'done'],
    ['fewer scopes', {}, { scopes: ['billing:read'] }, 'done'],
    ['an earlier end', {}, { expiresAt: at(60) }, 'done'],
    ['fewer addresses', {}, { allowedIps: ['10.0.0.1'] }, 'done'],
    [
      'a scope that it holds, over data that it does not',
      {},
      { scopes: ['stock:read', 'billing:read', 'stock:write'] },
      'grant_denied resources',
    ],
    [
      'a scope that it holds, over its own data',
      { resources: { w: ['1'] } },
      { scopes: ['stock:read', 'billing:read', 'stock:write'] },
      'done',
    ],
    ['more data', { resources: { w: ['2'] } }, { resources: { w: ['2', '1'] } }, 'grant_denied scopes'],
    ['all data', { resources: { w: ['2'] } }, { resources: null }, 'grant_denied scopes'],
    ['a later end', {}, { expiresAt: at(90_000) }, 'grant_denied scopes'],
    ['no end', {}, { expiresAt: null }, 'grant_denied scopes'],
    ['an earlier beginning', { notBefore: at(1000) }, { notBefore: null }, 'grant_denied scopes'],
    ['more addresses', { allowedIps: ['10.0.0.1'] }, { allowedIps: ['10.0.0.0/8'] }, 'grant_denied scopes'],
    ['all addresses', { allowedIps: ['10.0.0.1'] }, { allowedIps: null }, 'grant_denied scopes'],
  ]
  for (const [what, token, change, outcome] of cases) {
    it(`${outcome === 'done' ? 'includes' : 'excludes'} ${what}`, async () => {
      const { record } = await mint(tokens, { scopes: ['stock:read', 'billing:read'], expiresAt: at(3600), ...token })
      expect(await refusal(as(ann).update(record.id, change))).toBe(outcome)
      expect((await tokens.system.get(record.id))?.version).toBe(outcome === 'done' ? 2 : 1)
    })
  }
})

describe('an actor that is absent or incomplete', () => {
  const good = { id: 'ann', tenants: ['t1'], manages: 'all' } as const
  const incomplete: readonly (readonly [string, unknown, string])[] = [
    ['nothing', undefined, 'actor'],
    ['null', null, 'actor'],
    ['an empty object', {}, 'actor.id'],
    ['another word', 'admin', 'actor'],
    ['an empty word', '', 'actor'],
    ['a list', [good], 'actor'],
    ['no id', { ...good, id: undefined }, 'actor.id'],
    ['an empty id', { ...good, id: '' }, 'actor.id'],
    ['a number for an id', { ...good, id: 7 }, 'actor.id'],
    ['the name of the application', { ...good, id: 'system' }, 'actor.id'],
    ['the name of the holder of a token', { ...good, id: `token:${'A'.repeat(16)}` }, 'actor.id'],
    ['the name of a client', { ...good, id: 'client:x' }, 'actor.id'],
    ['the name of a user of the command line', { ...good, id: 'cli:root' }, 'actor.id'],
    ['the name of nobody', { ...good, id: 'anonymous' }, 'actor.id'],
    [
      'the name of a user of the command line, with marks from JSON',
      JSON.parse('{"id":"cli:root","tenants":"*","manages":"all","latchkey.actor":true,"Symbol(latchkey.actor)":true}'),
      'actor.id',
    ],
    ['an id with a control character', { ...good, id: 'an\u0000n' }, 'actor.id'],
    ['an id with half of a character', { ...good, id: 'ann\ud83d' }, 'actor.id'],
    ['an id that is read in another direction', { ...good, id: '\u202enna' }, 'actor.id'],
    ['an id that nobody can tell from another', { ...good, id: 'ann\u200b' }, 'actor.id'],
    ['a token for an id', { ...good, id: `acme_test_${'A'.repeat(16)}_${'b'.repeat(49)}` }, 'actor.id'],
    ['a tenant that nobody can tell from another', { ...good, tenants: ['t1\u200b'] }, 'actor.tenants.0'],
    ['no tenants', { id: 'ann', manages: 'all' }, 'actor.tenants'],
    ['tenants that are text', { ...good, tenants: 't1' }, 'actor.tenants'],
    ['an empty tenant', { ...good, tenants: [''] }, 'actor.tenants.0'],
    ['an undefined tenant', { ...good, tenants: [undefined] }, 'actor.tenants'],
    ['no reach', { id: 'ann', tenants: '*' }, 'actor.manages'],
    ['another reach', { ...good, manages: 'none' }, 'actor.manages'],
    ['scopes that are undefined', { ...good, scopes: undefined }, 'actor.scopes'],
    ['scopes that are null', { ...good, scopes: null }, 'actor.scopes'],
    ['scopes that are text', { ...good, scopes: '*' }, 'actor.scopes'],
    ['data that is undefined', { ...good, resources: undefined }, 'actor.resources'],
    ['data that is null', { ...good, resources: null }, 'actor.resources'],
  ]
  for (const [what, actor, field] of incomplete) {
    it(`throws, naming the field, and gives no handle: ${what}`, () => {
      expect(() => tokens.as(actor as Actor)).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
    })
  }

  it('may have an id that only begins like one that latchkey writes', () => {
    for (const id of ['tokens:1', 'client', 'anonymous2', 'cli', 'clients:x']) expect(() => tokens.as({ ...good, id })).not.toThrow()
  })

  it('is never text: a user whose id is "system" is nobody special', () => {
    for (const word of ['system', 'admin', '*']) expect(() => tokens.as(word as never)).toThrow(expect.objectContaining({ field: 'actor' }))
  })

  it('is read once: what becomes of the object afterwards changes nothing', async () => {
    const reads: string[] = []
    const actor = new Proxy({ id: 'ann', tenants: ['t1'], manages: 'all' } as { -readonly [K in keyof Actor]: Actor[K] }, {
      get(target, key) {
        reads.push(String(key))
        return Reflect.get(target, key)
      },
    })
    const ann = tokens.as(actor)
    const before = reads.length
    actor.tenants = '*'
    actor.id = 'somebody else'
    expect((await ann.list()).items.every(({ tenantId }) => tenantId === 't1')).toBe(true)
    expect((await ann.create({ name: 'x', tenantId: 't1', scopes: [] })).record.createdBy).toBe('ann')
    expect(reads).toHaveLength(before)
  })
})
