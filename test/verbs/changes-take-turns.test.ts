import type { Actor, Latchkey, TokenHandle } from 'latchkey'
import { revocationByPossession } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore, type StoreMethod } from 'latchkey/testing'
import { createTicket } from 'latchkey/ws'
import { describe, expect, it } from 'vitest'
import { instance, mint, principalOf, type Scope, until, verdict } from '../latchkey/harness.js'

const EVE: Actor = { id: 'eve', tenants: ['t1'], manages: 'all' }
const BOB: Actor = { id: 'bob', tenants: ['t2'], manages: 'all' }
const named = (at: number) => ({ name: `n${at}`, scopes: ['stock:read' as const], tenantId: 't1' })
const CHANGES: ReadonlySet<StoreMethod> = new Set(['commit', 'revokeWhere', 'saveTicket'])

/** A store that makes one change after another, as SQL stores do. Counts the changes it made. */
function oneByOne() {
  let last: Promise<unknown> = Promise.resolve()
  let made = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (!CHANGES.has(method)) return proceed()
    const mine = last.then(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      made += 1
      return await proceed()
    })
    last = mine.catch(() => undefined)
    return mine
  })
  return { store, made: () => made }
}

/** A store whose changes wait for the test. */
function heldChanges(methods: ReadonlySet<StoreMethod> = CHANGES) {
  const held: (() => void)[] = []
  let holding = false
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (holding && methods.has(method)) await new Promise<void>((resolve) => held.push(resolve))
    return await proceed()
  })
  const hold = (on: boolean): void => {
    holding = on
  }
  const release = (): void => {
    for (const resolve of held.splice(0)) resolve()
  }
  return { store, held, hold, release }
}

type Flood = (tokens: Latchkey<Scope>, ids: readonly string[], at: number) => Promise<unknown>
const FLOODS: readonly (readonly [string, Flood])[] = [
  ['creations', (tokens, _, at) => tokens.as(EVE).create(named(at))],
  ['creations by the application', (tokens, _, at) => tokens.system.create(named(at))],
  ['creations by many users', (tokens, _, at) => tokens.as({ ...EVE, id: `eve ${at}` }).create(named(at))],
  ['edits', (tokens, ids, at) => tokens.as(EVE).update(ids[at] ?? '', { name: `n${at}` })],
  ['rotations', (tokens, ids, at) => tokens.as(EVE).rotate(ids[at] ?? '', { overlap: '1h' })],
  ['deactivations', (tokens, ids, at) => tokens.as(EVE).deactivate(ids[at] ?? '')],
  ['revocations', (tokens, ids, at) => tokens.as(EVE).revoke(ids[at] ?? '')],
  ['changes of an owner', (tokens, _, at) => tokens.as(EVE).ownerChanged({ ownerId: `o${at}`, tenantId: 't1' })],
  ['bulk revocations that match nothing', (tokens, _, at) => tokens.as(EVE).revokeAll({ ownerId: `o${at}` })],
]

describe.each(FLOODS)('a flood of %s in one tenant', (_what, cause) => {
  async function flooded() {
    const { store, made } = oneByOne()
    const tokens = instance({ store, deadline: '60s', owner: () => ({ scopes: ['stock:read'] }) })
    const eves = await Promise.all(Array.from({ length: 300 }, () => mint(tokens, { tenantId: 't1' })))
    const bobs = await Promise.all(Array.from({ length: 2 }, () => mint(tokens, { tenantId: 't2', ownerId: 'bob' })))
    const ids = eves.map(({ record }) => record.id)
    const flood = Promise.all(ids.map((_, at) => cause(tokens, ids, at)))
    const before = made()
    await until(() => made() > before)
    return { tokens, bobs, flood, made }
  }

  it('a flood of changes in one tenant does not delay a revocation in another', async () => {
    const { tokens, bobs, flood, made } = await flooded()
    const before = made()
    const revoked = await tokens.as(BOB).revoke(bobs[0]?.record.id ?? '')
    const ahead = made() - before
    expect(revoked.status).toBe('revoked')
    expect(ahead).toBeLessThan(60)
    await flood
  })

  it('a flood of changes in one tenant does not delay a bulk revocation in another', async () => {
    const { tokens, bobs, flood, made } = await flooded()
    const before = made()
    const { count } = await tokens.as(BOB).revokeAll({ ownerId: 'bob' })
    const ahead = made() - before
    expect(count).toBe(bobs.length)
    expect(ahead).toBeLessThan(60)
    await flood
  })
})

it('an actor can have at most two changes and two bulk revocations of a tenant in the store at the same time', async () => {
  const { store, held, hold, release } = heldChanges()
  const tokens = instance({ store, deadline: '60s' })
  hold(true)
  const creations = Promise.all(Array.from({ length: 100 }, (_, at) => tokens.as(EVE).create(named(at))))
  await until(() => held.length === 2)
  const bulks = Promise.all(Array.from({ length: 20 }, (_, at) => tokens.as(EVE).revokeAll({ ownerId: `o${at}` })))
  await until(() => held.length === 4)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(held.length).toBe(4)
  hold(false)
  release()
  await creations
  await bulks
})

it('a change whose caller gave up while the change was waiting is never made', async () => {
  const { store, held, hold, release } = heldChanges()
  const tokens = instance({ store, deadline: '1s' })
  const { token, record } = await mint(tokens, { tenantId: 't1' })
  hold(true)
  const creations = Array.from({ length: 12 }, (_, at) =>
    tokens
      .as(EVE)
      .create(named(at))
      .catch(({ code }) => code),
  )
  await until(() => held.length === 2)
  const late = tokens
    .as(EVE)
    .deactivate(record.id)
    .catch(({ code }) => code)
  expect(await late).toBe('store_unavailable')
  hold(false)
  release()
  await Promise.all(creations)
  await tokens.flush()
  expect(await verdict(tokens.verify(token))).toBe('ok')
})

it('a revocation does not wait for an edit to the same token that is itself waiting for a turn', async () => {
  const { store, made } = oneByOne()
  const tokens = instance({ store, deadline: '60s' })
  const { record } = await mint(tokens, { tenantId: 't1' })
  const flood = Array.from({ length: 300 }, (_, at) => tokens.as(EVE).create(named(at)))
  const edit = tokens
    .as(EVE)
    .update(record.id, { name: 'edited' })
    .catch(({ code }) => code)
  await until(() => made() > 1)
  const before = made()
  await tokens.as({ ...EVE, id: 'ada' }).revoke(record.id)
  expect(made() - before).toBeLessThan(60)
  expect(await edit).toBe('conflict')
  await Promise.all(flood)
})

it('a flood of tickets for one token does not delay a ticket for another', async () => {
  const { store, made } = oneByOne()
  const tokens = instance({ store, deadline: '60s' })
  const [eve, bob] = await Promise.all([mint(tokens, { tenantId: 't1' }), mint(tokens, { tenantId: 't2' })])
  const ofEve = await principalOf(tokens.verify(eve.token))
  const ofBob = await principalOf(tokens.verify(bob.token))
  const flood = Promise.all(Array.from({ length: 300 }, () => createTicket(tokens, ofEve)))
  const start = made()
  await until(() => made() > start)
  const before = made()
  await createTicket(tokens, ofBob)
  expect(made() - before).toBeLessThan(60)
  await flood
})

it("any number of the application's own changes can wait without using up the room in the queue for other callers", async () => {
  const { store, held, hold, release } = heldChanges()
  const tokens = instance({ store, deadline: '60s' })
  hold(true)
  const many = Promise.all(Array.from({ length: 11_000 }, (_, at) => tokens.system.create(named(at))))
  await until(() => held.length === 2)
  const bobs = mint(tokens, { tenantId: 't2' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  hold(false)
  release()
  expect((await bobs).record.tenantId).toBe('t2')
  expect(await many).toHaveLength(11_000)
})

const actsIn = (...tenants: string[]): Actor => ({ id: 'eve', tenants, manages: 'all' })

it.each([
  ['an actor in two tenants', 3, (tokens: Latchkey<Scope>, at: number) => [tokens.as(actsIn(`eve${at % 2}`)), `eve${at % 2}`] as const],
  ['an actor in a tenant, alone and with another', 3, (tokens, at) => [tokens.as(at % 2 ? actsIn('a') : actsIn('a', 'b')), 'a'] as const],
  ['a tenant in many sets', 3, (tokens, at) => [tokens.as({ ...actsIn('a', `t${at}`), id: `eve ${at}` }), 'a'] as const],
  ['an actor in one tenant', 2, (tokens) => [tokens.as(actsIn('a')), 'a'] as const],
  [
    'an actor in one tenant that is listed repeatedly',
    2,
    (tokens, at) => [tokens.as(actsIn(...Array(1 + (at % 5)).fill('a'))), 'a'] as const,
  ],
  ['the application in two tenants', 3, (tokens, at) => [tokens.system, `eve${at % 2}`] as const],
  ['the application in one tenant', 2, (tokens) => [tokens.system, 'a'] as const],
] as readonly (readonly [string, number, (tokens: Latchkey<Scope>, at: number) => readonly [TokenHandle<Scope>, string]])[])(
  '%s: floods hold %i of 4 slots for changes and for bulk revocations, so calls by another tenant start immediately',
  async (_who, most, eve) => {
    const { store, held, hold, release } = heldChanges()
    const tokens = instance({ store, deadline: '60s' })
    const { record } = await mint(tokens, { tenantId: 't2', ownerId: 'bob' })
    const other = await mint(tokens, { tenantId: 't2', ownerId: 'carl' })
    hold(true)
    const flood: Promise<unknown>[] = []
    for (let at = 0; at < 40; at += 1) {
      const [handle, tenantId] = eve(tokens, at)
      flood.push(handle.create({ ...named(at), tenantId }), handle.revokeAll({ ownerId: 'nobody', tenantId }))
    }
    await until(() => held.length === 2 * most)
    hold(false)
    expect((await tokens.as(BOB).revoke(record.id)).status).toBe('revoked')
    expect((await tokens.as(BOB).revokeAll({ ownerId: 'carl' })).count).toBe(1)
    expect(other.record.status).toBe('active')
    expect(held).toHaveLength(2 * most)
    release()
    await Promise.all(flood)
  },
)

it.each([
  ['two actors', 2, 1],
  ['many actors in two tenants', 2, 10],
] as const)('changes by %s that wait for their own bulk revocations delay no change in another tenant', async (_who, tenants, actors) => {
  const { store, held, hold, release } = heldChanges()
  const tokens = instance({ store, deadline: '60s' })
  const eves: Actor[] = []
  for (let at = 0; at < tenants * actors; at += 1) eves.push({ id: `eve${at}`, tenants: [`evil${at % tenants}`], manages: 'all' })
  const own = await Promise.all([...eves, ...eves, ...eves].map((eve) => mint(tokens, { tenantId: eve.tenants[0] ?? '' })))
  const { record } = await mint(tokens, { tenantId: 't2' })
  hold(true)
  const bulks = eves.slice(0, 2).map((eve) => tokens.as(eve).revokeAll({ all: true }))
  await until(() => held.length === 2)
  const flood = own.map(({ record: { id } }, at) =>
    tokens
      .as(eves[at % eves.length] ?? EVE)
      .update(id, { name: 'edited' })
      .catch(() => undefined),
  )
  await until(() => held.length >= 4)
  hold(false)
  let revoked: string | undefined
  void tokens
    .as(BOB)
    .revoke(record.id)
    .then(({ status }) => {
      revoked = status
    })
  await until(() => revoked !== undefined)
  expect(revoked).toBe('revoked')
  expect(held).toHaveLength(4)
  release()
  await Promise.all([...bulks, ...flood])
})

it('revocations by possession from one address hold 3 of 4 slots, so a revocation from another address starts immediately', async () => {
  const { store, held, hold, release } = heldChanges()
  const tokens = instance({ store, deadline: '60s' })
  const minted = await Promise.all(Array.from({ length: 21 }, (_, at) => mint(tokens, at % 2 === 0 ? {} : { tenantId: `t${at}` })))
  const revoke = revocationByPossession(tokens, { ip: ({ headers }) => headers.get('x-address') ?? undefined, perMinute: 1000 })
  const send = (token: string, address: string): Promise<Response> =>
    revoke(new Request('http://host/revoke', { method: 'POST', body: new URLSearchParams({ token }), headers: { 'x-address': address } }))
  const [mine, ...others] = minted.map(({ token }) => token)
  hold(true)
  const flood = Promise.all(others.map((token) => send(token, '203.0.113.9')))
  await until(() => held.length === 3)
  hold(false)
  let status: number | undefined
  void send(mine ?? '', '198.51.100.7').then((response) => {
    status = response.status
  })
  await until(() => status !== undefined)
  expect([status, held.length]).toEqual([200, 3])
  release()
  await flood
})
