import type { Actor, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore, type StoreMethod } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { SYSTEM, turnsOf } from '../../src/verbs/lib/actor.js'
import { instance, mint, until, verdict } from '../latchkey/harness.js'

const EVE: Actor = { id: 'eve', tenants: ['t1'], manages: 'own' }
const BOB: Actor = { id: 'bob', tenants: ['t2'], manages: 'all' }
const READS: ReadonlySet<StoreMethod> = new Set(['find', 'list', 'distinct', 'events', 'usage', 'seals'])

/** A store that answers over a few connections, first come, first served. Counts the lists of one tenant. */
function overConnections(connections: number, tenant: string) {
  const waiting: (() => void)[] = []
  let free = connections
  let lists = 0
  const store = interceptStore(memoryStore(), async ({ method, args }, proceed) => {
    const [query] = args as readonly { readonly tenantIds?: readonly string[] }[]
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    else free -= 1
    await new Promise((resolve) => setImmediate(resolve))
    if (method === 'list' && query?.tenantIds?.includes(tenant)) lists += 1
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
    return proceed()
  })
  return { store, lists: () => lists }
}

/** A store whose reads of one kind of actor wait for the test. */
function heldReads() {
  const held: (() => void)[] = []
  let holding = false
  let atOnce = 0
  let most = 0
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (!holding || !READS.has(method)) return proceed()
    atOnce += 1
    most = Math.max(most, atOnce)
    await new Promise<void>((resolve) => held.push(resolve))
    atOnce -= 1
    return proceed()
  })
  const hold = (on: boolean): void => {
    holding = on
  }
  const release = (): void => {
    for (const resolve of held.splice(0)) resolve()
  }
  return { store, held, hold, release, most: () => most }
}

it.each([
  ['one actor', () => EVE],
  ['many actors of one tenant', (at: number) => ({ ...EVE, id: `eve ${at % 100}` })],
] as const)('a flood of lists by %s does not delay the list and the revocation of another tenant', async (_who, actor) => {
  const { store, lists } = overConnections(4, 't1')
  const tokens = instance({ store, deadline: '60s' })
  const { record } = await mint(tokens, { tenantId: 't2' })
  const flood = Promise.all(Array.from({ length: 1000 }, (_, at) => tokens.as(actor(at)).list({ limit: 1 })))
  await until(() => lists() > 0)
  const before = lists()
  const listed = await tokens.as(BOB).list()
  const revoked = await tokens.as(BOB).revoke(record.id)
  const ahead = lists() - before
  expect(listed.items.map(({ id }) => id)).toEqual([record.id])
  expect(revoked.status).toBe('revoked')
  expect(ahead).toBeLessThan(200)
  await flood
  expect(lists()).toBe(1000)
})

it('lists by the application itself take turns with lists by actors', async () => {
  const { store, lists } = overConnections(4, 't1')
  const tokens = instance({ store, deadline: '60s' })
  const flood = Promise.all(Array.from({ length: 1000 }, () => tokens.as(EVE).list({ limit: 1 })))
  await until(() => lists() > 0)
  const before = lists()
  await tokens.system.list()
  expect(lists() - before).toBeLessThan(200)
  await flood
})

it('the application can make any number of changes at the same time', async () => {
  const { store } = overConnections(4, 't1')
  const tokens = instance({ store, deadline: '60s' })
  const made = await Promise.all(Array.from({ length: 3000 }, () => mint(tokens)))
  const revoked = await Promise.all(made.map(({ record }) => tokens.system.revoke(record.id)))
  expect(new Set(revoked.map(({ status }) => status))).toEqual(new Set(['revoked']))
})

it('revocations do not wait for lists, however slow the lists are', async () => {
  const held: (() => void)[] = []
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method === 'list') await new Promise<void>((resolve) => held.push(resolve))
    return proceed()
  })
  const tokens = instance({ store, deadline: '60s' })
  const { record } = await mint(tokens, { tenantId: 't2' })
  const lists = Promise.all(Array.from({ length: 100 }, () => tokens.as(EVE).list()))
  await until(() => held.length === 4)
  expect((await tokens.as(BOB).revoke(record.id)).status).toBe('revoked')
  let listed = false
  void lists.then(() => {
    listed = true
  })
  while (!listed) {
    for (const resolve of held.splice(0)) resolve()
    await until(() => held.length > 0 || listed)
  }
})

const bulk = { tenants: '*', manages: 'all', id: 'staff' } as const

it.each([
  ['list', 4, (tokens: Latchkey) => tokens.as(EVE).list()],
  ['get', 4, (tokens: Latchkey, id: string) => tokens.as(EVE).get(id)],
  ['update', 9, (tokens: Latchkey) => tokens.as(EVE).update('0'.repeat(16), { name: 'x' })],
  ['events', 4, (tokens: Latchkey) => tokens.as(EVE).events()],
  ['usage', 6, (tokens: Latchkey, id: string) => tokens.as(bulk).usage(id)],
  ['explain', 12, (tokens: Latchkey, id: string) => tokens.as(bulk).explain(id)],
  ['tenants', 6, (tokens: Latchkey) => tokens.as(bulk).tenants()],
  ['owners', 4, (tokens: Latchkey) => tokens.as(EVE).owners()],
  ['exportAudit', 6, async (tokens: Latchkey) => await tokens.as(bulk).exportAudit()[Symbol.asyncIterator]().next()],
] as const)('a flood of %s by one actor has at most %i reads in the store at the same time', async (_verb, places, ask) => {
  const { store, held, hold, release, most } = heldReads()
  const tokens = instance({ store, deadline: '60s' })
  const { record } = await mint(tokens, { tenantId: 't1' })
  await tokens.flush()
  hold(true)
  let answered = 0
  const count = (): void => {
    answered += 1
  }
  for (let at = 0; at < 100; at += 1) void Promise.resolve(ask(tokens, record.id)).then(count, count)
  await until(() => held.length >= places)
  while (answered < 100) {
    release()
    await until(() => held.length > 0 || answered === 100)
  }
  hold(false)
  expect(most()).toBe(places)
})

it('verifications do not wait for calls by actors', async () => {
  const { store, held, hold, release } = heldReads()
  const tokens = instance({ store, deadline: '60s' })
  const { token } = await mint(tokens)
  hold(true)
  const lists = Promise.all(Array.from({ length: 100 }, () => tokens.as(EVE).list()))
  await until(() => held.length === 4)
  const waiting = held.splice(0)
  const verified = verdict(tokens.verify(token))
  await until(() => held.length === 1)
  hold(false)
  release()
  expect(await verified).toBe('ok')
  for (const resolve of waiting) resolve()
  await lists
})

it('actors of the same tenants take turns as a group, and actors of all or many tenants take turns individually', () => {
  const many = Array.from({ length: 11 }, (_, at) => `t${at}`)
  expect(turnsOf({ id: 'eve', tenants: ['b', 'a'] })).toEqual(turnsOf({ id: 'eve', tenants: ['a', 'b'] }))
  expect(turnsOf({ id: 'eve', tenants: ['a', 'b', 'a'] })).toEqual(turnsOf({ id: 'eve', tenants: ['a', 'b'] }))
  expect(turnsOf({ id: 'eve', tenants: ['a'] })).not.toEqual(turnsOf({ id: 'eve', tenants: ['b'] }))
  expect(turnsOf({ id: 'staff', tenants: undefined })).toEqual({ id: 'staff' })
  expect(turnsOf(SYSTEM)).toEqual({ id: 'system', unlimited: true })
  expect(turnsOf({ ...SYSTEM })).toEqual({ id: SYSTEM.id })
  expect(turnsOf({ id: 'staff', tenants: many })).toEqual({ id: 'staff' })
  expect(turnsOf({ id: 'token:4kQ0tXb2LrVn8ZcD', tenants: undefined })).toEqual({ id: 'token:4kQ0tXb2LrVn8ZcD', group: 'tokens' })
})

const actsIn = (...tenants: string[]): Actor => ({ id: 'eve', tenants, manages: 'all' })

it.each([
  ['an actor in two tenants', 6, (tokens: Latchkey, at: number) => tokens.as(actsIn(`eve${at % 2}`))],
  ['an actor in a tenant, alone and with another', 6, (tokens: Latchkey, at: number) => tokens.as(at % 2 ? actsIn('a') : actsIn('a', 'b'))],
  ['a tenant in many sets', 6, (tokens: Latchkey, at: number) => tokens.as({ ...actsIn('a', `t${at}`), id: `eve ${at}` })],
  ['an actor in one tenant', 4, (tokens: Latchkey) => tokens.as(actsIn('a'))],
  ['the application', 6, (tokens: Latchkey) => tokens.system],
] as const)(
  '%s: a flood of lists holds %i of eight slots, so the list of another tenant is answered immediately',
  async (_who, most, eve) => {
    const { store, held, hold, release } = heldReads()
    const tokens = instance({ store, deadline: '60s' })
    const { record } = await mint(tokens, { tenantId: 't2' })
    hold(true)
    const flood = Array.from({ length: 100 }, (_, at) => eve(tokens, at).list())
    await until(() => held.length === most)
    hold(false)
    expect((await tokens.as(BOB).list()).items.map(({ id }) => id)).toEqual([record.id])
    expect(held).toHaveLength(most)
    release()
    await Promise.all(flood)
  },
)

it('slow lists that an actor abandons keep counting against it, so they never occupy every connection for reads', async () => {
  const CONNECTIONS = 7
  const slow: (() => void)[] = []
  let busy = 0
  let refused = 0
  const store = interceptStore(memoryStore(), async ({ method, args }, proceed) => {
    if (method !== 'list') return proceed()
    const [query] = args as readonly { readonly tenantIds?: readonly string[] }[]
    if (busy === CONNECTIONS) {
      refused += 1
      throw new Error('no connection became available')
    }
    busy += 1
    if (query?.tenantIds?.includes('t1')) await new Promise<void>((resolve) => slow.push(resolve))
    busy -= 1
    return proceed()
  })
  const tokens = instance({ store, deadline: 0.1 })
  const { record } = await mint(tokens, { tenantId: 't2' })
  for (let round = 0; round < 5; round += 1) {
    const failed = await Promise.allSettled(Array.from({ length: 12 }, () => tokens.as(EVE).list()))
    expect(new Set(failed.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect((await tokens.as(BOB).list()).items.map(({ id }) => id)).toEqual([record.id])
  }
  expect([slow.length, refused]).toEqual([4, 0])
  for (const resolve of slow.splice(0)) resolve()
  const later = tokens.as(EVE).list()
  await until(() => slow.length === 1)
  slow[0]?.()
  expect((await later).items).toEqual([])
  await tokens.close()
})

it('an instance closes while the store is still busy with abandoned lists', async () => {
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method === 'list') await new Promise<never>(() => {})
    return proceed()
  })
  const tokens = instance({ store, deadline: 0.05 })
  expect((await Promise.allSettled([tokens.as(EVE).list()]))[0]?.status).toBe('rejected')
  await tokens.close()
})
