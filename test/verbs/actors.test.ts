import type { Actor, Latchkey, TokenHandle } from 'latchkey'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
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

/** The tokens, by tenant and creator. */
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

describe('tokens that an actor cannot see', () => {
  for (const who of Object.keys(WHO) as Who[]) {
    it(`finds only the tokens that the actor can see: ${who}`, async () => {
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

    it(`lists, audits and revokes in bulk only the tokens that the actor can see: ${who}`, async () => {
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

describe('permissions that an actor may grant', () => {
  const base = { name: 'x', scopes: ['stock:read'] } as const
  const some = (more: Partial<Actor>): By => ({ actor: { id: 'ann', tenants: '*', manages: 'all', ...more } })
  const cases: readonly (readonly [string, By, object, string])[] = [
    ['a token in another tenant', WHO.admin, { tenantId: 't2' }, 'grant_denied tenantId'],
    ['a token for all tenants', WHO.admin, {}, 'grant_denied tenantId'],
    ['a token in one of its two tenants', WHO.partner, { tenantId: 't2' }, 'done'],
    ['a token for all tenants, as a superadmin', WHO.superadmin, {}, 'done'],
    ['anything if it has no tenant', WHO.nowhere, { tenantId: 't1' }, 'grant_denied tenantId'],
    ['a token that another person owns', WHO.own, { tenantId: 't1', ownerId: 'ann' }, 'grant_denied ownerId'],
    ['a token that it owns', WHO.own, { tenantId: 't1', ownerId: 'bob' }, 'done'],
    ['a scope that it holds', some({ scopes: ['stock:read'] }), {}, 'done'],
    ['a scope that it does not hold', some({ scopes: ['stock:write'] }), {}, 'grant_denied scopes'],
    ['a scope if it holds none', some({ scopes: [] }), {}, 'grant_denied scopes'],
    ['a token without scopes if it holds none', some({ scopes: [] }), { scopes: [] }, 'done'],
    [
      'a wildcard over the scopes that it holds',
      some({ scopes: ['stock:read', 'stock:write'] }),
      { scopes: ['stock:*'] },
      'grant_denied scopes',
    ],
    ['its own wildcard', some({ scopes: ['stock:*'] }), { scopes: ['stock:*', 'stock:read'] }, 'done'],
    ['resources within its own', some({ resources: { w: ['1', '2'] } }), { resources: { w: ['1'] } }, 'done'],
    ['resources beyond its own', some({ resources: { w: ['1'] } }), { resources: { w: ['1', '2'] } }, 'grant_denied resources'],
    ['all resources', some({ resources: { w: ['1'] } }), {}, 'grant_denied resources'],
    ['other dimensions of resources', some({ resources: { w: ['1'] } }), { resources: { v: ['1'] } }, 'grant_denied resources'],
  ]
  for (const [what, by, input, outcome] of cases) {
    it(`${outcome === 'done' ? 'lets' : 'does not let'} an actor grant ${what}`, async () => {
      const before = (await tokens.system.list({ limit: 1000 })).items.length
      expect(await refusal(as(by).create({ ...base, ...input }))).toBe(outcome)
      expect((await tokens.system.list({ limit: 1000 })).items.length - before).toBe(outcome === 'done' ? 1 : 0)
    })
  }

  it('an actor who manages only its own tokens becomes the owner of each token that it creates', async () => {
    const made = await as(WHO.own).create({ ...base, tenantId: 't1' })
    expect(made.record).toMatchObject({ ownerId: 'bob', createdBy: 'bob' })
  })

  it('refuses a rotation by an actor who could not create the token', async () => {
    const { record } = await mint(tokens, { scopes: ['stock:read', 'billing:read'] })
    expect(await refusal(as(some({ scopes: ['stock:read'] })).rotate(record.id))).toBe('grant_denied scopes')
    const wide = await mint(tokens)
    expect(await refusal(as(some({ resources: { w: ['1'] } })).rotate(wide.record.id))).toBe('grant_denied resources')
    expect((await tokens.system.get(record.id))?.replacedById).toBeUndefined()
  })
})

describe('changes to a token that can do more than the actor', () => {
  const ann: By = { actor: { id: 'ann', tenants: '*', manages: 'all', scopes: ['stock:read', 'stock:write'], resources: { w: ['1'] } } }
  const at = (seconds: number) => Date.now() + seconds * 1000
  const cases: readonly (readonly [string, object, object, string])[] = [
    ['another name', {}, { name: 'y' }, 'done'],
    ['fewer scopes', {}, { scopes: ['billing:read'] }, 'done'],
    ['an earlier expiry', {}, { expiresAt: at(60) }, 'done'],
    ['fewer addresses', {}, { allowedIps: ['10.0.0.1'] }, 'done'],
    [
      'a scope that the actor holds, for resources that it does not hold',
      {},
      { scopes: ['stock:read', 'billing:read', 'stock:write'] },
      'grant_denied resources',
    ],
    [
      'a scope that the actor holds, for its own resources',
      { resources: { w: ['1'] } },
      { scopes: ['stock:read', 'billing:read', 'stock:write'] },
      'done',
    ],
    ['more resources', { resources: { w: ['2'] } }, { resources: { w: ['2', '1'] } }, 'grant_denied scopes'],
    ['all resources', { resources: { w: ['2'] } }, { resources: null }, 'grant_denied scopes'],
    ['a later expiry', {}, { expiresAt: at(90_000) }, 'grant_denied scopes'],
    ['no expiry', {}, { expiresAt: null }, 'grant_denied scopes'],
    ['an earlier start', { notBefore: at(1000) }, { notBefore: null }, 'grant_denied scopes'],
    ['more addresses', { allowedIps: ['10.0.0.1'] }, { allowedIps: ['10.0.0.0/8'] }, 'grant_denied scopes'],
    ['all addresses', { allowedIps: ['10.0.0.1'] }, { allowedIps: null }, 'grant_denied scopes'],
  ]
  for (const [what, token, change, outcome] of cases) {
    it(`${outcome === 'done' ? 'lets' : 'does not let'} an actor give a more powerful token ${what}`, async () => {
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
    ['other text', 'admin', 'actor'],
    ['empty text', '', 'actor'],
    ['a list', [good], 'actor'],
    ['no id', { ...good, id: undefined }, 'actor.id'],
    ['an empty ID', { ...good, id: '' }, 'actor.id'],
    ['a number as an ID', { ...good, id: 7 }, 'actor.id'],
    ['the ID of the application', { ...good, id: 'system' }, 'actor.id'],
    ['the ID of a token holder', { ...good, id: `token:${'A'.repeat(16)}` }, 'actor.id'],
    ['the ID of a client', { ...good, id: 'client:x' }, 'actor.id'],
    ['the ID of a command-line user', { ...good, id: 'cli:root' }, 'actor.id'],
    ['the ID of a sender of leak reports', { ...good, id: 'leaks:github' }, 'actor.id'],
    ['the ID of an anonymous actor', { ...good, id: 'anonymous' }, 'actor.id'],
    [
      'the ID of a command-line user, with marks from JSON',
      JSON.parse('{"id":"cli:root","tenants":"*","manages":"all","latchkey.actor":true,"Symbol(latchkey.actor)":true}'),
      'actor.id',
    ],
    ['an ID with a control character', { ...good, id: 'an\u0000n' }, 'actor.id'],
    ['an ID with half of a surrogate pair', { ...good, id: 'ann\ud83d' }, 'actor.id'],
    ['an ID with a right-to-left override', { ...good, id: '\u202enna' }, 'actor.id'],
    ['an ID with an invisible character', { ...good, id: 'ann\u200b' }, 'actor.id'],
    ['a token as an ID', { ...good, id: `acme_test_${'A'.repeat(16)}_${'b'.repeat(49)}` }, 'actor.id'],
    ['a tenant with an invisible character', { ...good, tenants: ['t1\u200b'] }, 'actor.tenants.0'],
    ['no tenants', { id: 'ann', manages: 'all' }, 'actor.tenants'],
    ['tenants that are text', { ...good, tenants: 't1' }, 'actor.tenants'],
    ['an empty tenant', { ...good, tenants: [''] }, 'actor.tenants.0'],
    ['an undefined tenant', { ...good, tenants: [undefined] }, 'actor.tenants'],
    ['no manages field', { id: 'ann', tenants: '*' }, 'actor.manages'],
    ['an unknown manages value', { ...good, manages: 'none' }, 'actor.manages'],
    ['scopes that are undefined', { ...good, scopes: undefined }, 'actor.scopes'],
    ['scopes that are null', { ...good, scopes: null }, 'actor.scopes'],
    ['scopes that are text', { ...good, scopes: '*' }, 'actor.scopes'],
    ['resources that are undefined', { ...good, resources: undefined }, 'actor.resources'],
    ['resources that are null', { ...good, resources: null }, 'actor.resources'],
  ]
  for (const [what, actor, field] of incomplete) {
    it(`throws on an incomplete actor and names the field: ${what}`, () => {
      expect(() => tokens.as(actor as Actor)).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
    })
  }

  it('checks each ID of thousands of tenants once, and refuses the wrong ones each time', () => {
    const tenants = Array.from({ length: 5_000 }, (_, at) => `many-${at}`)
    tokens.as({ ...good, tenants })
    const replace = vi.spyOn(String.prototype, 'replace')
    onTestFinished(() => replace.mockRestore())
    tokens.as({ ...good, tenants })
    expect(replace.mock.calls.length).toBeLessThan(100)
    for (const tries of [1, 2])
      expect(() => tokens.as({ ...good, tenants: [...tenants, `a\u200b${tries}`, 'a\u200b'] })).toThrow(
        expect.objectContaining({ field: 'actor.tenants.5000' }),
      )
  })

  it('accepts an actor ID that only resembles a reserved ID', () => {
    for (const id of ['tokens:1', 'client', 'anonymous2', 'cli', 'clients:x']) expect(() => tokens.as({ ...good, id })).not.toThrow()
  })

  it('rejects text such as "system" or "*" as an actor', () => {
    for (const word of ['system', 'admin', '*']) expect(() => tokens.as(word as never)).toThrow(expect.objectContaining({ field: 'actor' }))
  })

  it('reads an actor once, and ignores later changes to the object', async () => {
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
