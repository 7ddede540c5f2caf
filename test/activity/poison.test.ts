import type { AuditEvent, FaultReport, UsageReport } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { UsageBatch } from '../../src/model/usage.js'
import type { Change, TokenStore } from '../../src/store/port.js'
import { accepting } from '../imports/world.js'
import { instance, mint } from '../latchkey/harness.js'
import { DAY, node as notifier } from '../verbs/notices-world.js'

const refused = (): Promise<never> => Promise.reject(new Error('value out of range'))

/** A store that refuses everything `isBad` matches, like a database that cannot store a value. */
function picky(store: TokenStore, isBad: (given: UsageBatch | Change) => boolean) {
  const tries = { refused: 0, taken: 0 }
  const own = interceptStore(store, ({ method, args }, proceed) => {
    if (method !== 'recordUsage' && method !== 'commit') return proceed()
    if (isBad(args[0] as UsageBatch | Change)) {
      tries.refused += 1
      return refused()
    }
    tries.taken += 1
    return proceed()
  })
  return { store: own, tries }
}

const GET = (endpoint: string) => ({ method: 'GET', endpoint, ip: '192.0.2.1' })

function node(store: TokenStore) {
  const faults: FaultReport[] = []
  const tokens = instance({ store, usage: { flushEvery: 60 }, onError: (fault) => void faults.push(fault), deadline: 2 })
  const flush = async (times: number) => {
    for (let time = 0; time < times; time += 1) await tokens.flush().catch(() => undefined)
  }
  return { tokens, flush, told: () => faults.filter(({ where }) => where === 'flush').map(({ error }) => error.message) }
}

const totalOf = (events: readonly AuditEvent[]) => events.reduce((sum, { count }) => sum + (count ?? 0), 0)

describe('usage that the store always rejects', () => {
  const hasBad = (given: UsageBatch | Change) => 'counts' in given && given.counts.some(({ endpoint }) => endpoint === 'GET /bad')

  it('drops and reports usage that the store always rejects, and writes all other usage', async () => {
    const { store, tries } = picky(memoryStore(), hasBad)
    const { tokens, flush, told } = node(store)
    const made = await Promise.all(Array.from({ length: 40 }, () => mint(tokens)))
    for (const { token } of made) await tokens.verify(token, GET('/stock'))
    for (let use = 0; use < 3; use += 1) await tokens.verify(made[17]?.token ?? '', GET('/bad'))
    await flush(3)
    expect((await tokens.health()).usage).toEqual({ pending: 0, dropped: 3 })
    // One after another, because many at once would wait for each other.
    const reports: UsageReport[] = []
    for (const { record } of made) reports.push(await tokens.system.usage(record.id))
    expect(reports.map(({ total }) => total)).toEqual(made.map(() => 1))
    expect(reports[17]?.addresses).toMatchObject([{ count: 4 }])
    expect(reports[17]?.lastUsedAt).toBeDefined()
    expect(told().filter((message) => message.includes('rejected usage counts'))).toHaveLength(1)
    expect(tries.refused).toBeLessThan(20)
  })

  it('counts every use exactly once if connections keep breaking', async () => {
    const inner = memoryStore()
    let sent = 0
    // The connection breaks alternately before the store gets the batch and after the store wrote it. Either way, the response is lost.
    const store = interceptStore(inner, async ({ method }, proceed) => {
      if (method !== 'recordUsage') return proceed()
      sent += 1
      if (sent % 8 === 0) return proceed()
      if (sent % 2 === 0) await proceed()
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    })
    const { tokens, flush, told } = node(store)
    const { token, record } = await mint(tokens)
    for (let round = 0; round < 4; round += 1) {
      for (let use = 0; use < 5; use += 1) await tokens.verify(token, GET(`/stock/${use}`))
      await flush(8)
    }
    expect((await tokens.health()).usage).toEqual({ pending: 0, dropped: 0 })
    expect((await tokens.system.usage(record.id)).total).toBe(20)
    expect(told().filter((message) => /reject|may not/.test(message))).toEqual([])
  })

  it('drops a use whose batch breaks every connection, and writes all other uses', async () => {
    const inner = memoryStore()
    const store = interceptStore(inner, async ({ method, args }, proceed) => {
      if (method !== 'recordUsage' || !hasBad(args[0] as UsageBatch)) return proceed()
      throw Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST' })
    })
    const { tokens, flush, told } = node(store)
    const made = await Promise.all(Array.from({ length: 4 }, () => mint(tokens)))
    for (const { token } of made) await tokens.verify(token, GET('/stock'))
    await tokens.verify(made[1]?.token ?? '', GET('/bad'))
    await flush(60)
    expect((await tokens.health()).usage).toEqual({ pending: 0, dropped: 1 })
    const reports = await Promise.all(made.map(({ record }) => tokens.system.usage(record.id)))
    expect(reports.map(({ total }) => total)).toEqual(made.map(() => 1))
    expect(told().filter((message) => message.includes('rejected usage counts'))).toHaveLength(1)
  })

  it('rejected usage is kept while the store rejects all usage', async () => {
    let isBad = hasBad
    const { store } = picky(memoryStore(), (given) => isBad(given))
    const { tokens, flush } = node(store)
    const { token, record } = await mint(tokens)
    const allBad = (given: UsageBatch | Change) =>
      'counts' in given && given.counts.length + given.addresses.length + given.lastUses.length > 0
    isBad = allBad
    for (let use = 0; use < 5; use += 1) await tokens.verify(token, GET(`/stock/${use}`))
    await flush(30)
    await expect(tokens.flush()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await tokens.health()).usage).toMatchObject({ dropped: 0 })
    isBad = () => false
    await tokens.flush()
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 5, addresses: [{ count: 5 }] })
    expect((await tokens.health()).usage).toEqual({ pending: 0, dropped: 0 })
  })

  for (const [what, fault] of Object.entries({
    'is written but its response is lost': { do: 'fail-after', error: new Error('reset') },
    'reaches a store that is down': { do: 'fail', error: new Error('reset') },
    'reaches a store that hangs': { do: 'hang' },
    'is written but hangs': { do: 'lose-answer' },
  } as const)) {
    it(`usage is counted once when a batch repeatedly ${what}`, async () => {
      const shared = memoryStore()
      const store = faultyStore(shared)
      const { tokens, flush, told } = node(store)
      const made = await Promise.all([mint(tokens), mint(tokens), mint(tokens)])
      for (const { token } of made) await tokens.verify(token, GET('/stock'))
      store.behave({ recordUsage: fault })
      await flush(6)
      store.behave()
      await tokens.flush()
      const totals = await Promise.all(made.map(async ({ record }) => (await tokens.system.usage(record.id)).total))
      expect(totals).toEqual([1, 1, 1])
      // If the response to the last read was lost as well, the outcome is unknown.
      expect(told().filter((message) => !message.includes('may not have been counted'))).toEqual([])
    })
  }

  it('usage is never counted twice, and possible losses are reported, when store responses are lost at random', async () => {
    for (let seed = 0; seed < 8; seed += 1) {
      const shared = memoryStore()
      const { store: strict } = picky(shared, hasBad)
      const store = faultyStore(strict)
      const { tokens, flush } = node(store)
      const made = await Promise.all(Array.from({ length: 8 }, () => mint(tokens)))
      for (const { token } of made) await tokens.verify(token, GET('/stock'))
      await tokens.verify(made[seed % 8]?.token ?? '', GET('/bad'))
      store.behave(({ method, number }) =>
        method === 'recordUsage' && (number * 7 + seed) % 5 < 2 ? { do: 'fail-after', error: new Error('reset') } : undefined,
      )
      await flush(12)
      store.behave()
      await flush(3)
      const counted = (await shared.usage({ tokenIds: made.map(({ record }) => record.id) })).counts.reduce(
        (sum, { count }) => sum + count,
        0,
      )
      const { pending, dropped } = (await tokens.health()).usage
      expect([pending, counted <= 8, counted + dropped >= 9]).toEqual([0, true, true])
    }
  })
})

describe('coalesced events that the store always rejects', () => {
  it('the counts of rejected coalesced events are added to one event about various tokens, and the other events are written', async () => {
    const shared = memoryStore()
    let bad: string | undefined
    const { store, tries } = picky(shared, (given) => 'events' in given && given.events.some(({ tokenId }) => tokenId === bad))
    const { tokens, flush, told } = node(store)
    const made = await Promise.all(Array.from({ length: 30 }, () => mint(tokens)))
    await tokens.system.revokeAll({ all: true })
    bad = made[11]?.record.id
    for (const [index, { token }] of made.entries()) for (let use = 0; use <= index; use += 1) await tokens.verify(token, GET('/stock'))
    await flush(3)
    bad = undefined
    await tokens.close()
    const { items } = await instance({ store: shared }).system.events({ action: 'token.refused', limit: 1000 })
    expect(totalOf(items)).toBe((30 * 31) / 2)
    expect(items.find(({ tokenId }) => tokenId === undefined)).toMatchObject({ count: 12, details: { tokens: 'various' } })
    expect(new Set(items.map(({ tokenId }) => tokenId)).size).toBe(30)
    expect(told().filter((message) => message.includes('counted in a combined event'))).toHaveLength(1)
    expect(tries.refused).toBeLessThan(20)
  })

  it('writes each coalesced event once when store responses are lost at random and some writes are rejected', async () => {
    for (let seed = 0; seed < 5; seed += 1) {
      const shared = memoryStore()
      let bad: string | undefined
      const { store: strict } = picky(shared, (given) => 'events' in given && given.events.some(({ tokenId }) => tokenId === bad))
      const store = faultyStore(strict)
      const { tokens, flush } = node(store)
      const made = await Promise.all(Array.from({ length: 10 }, () => mint(tokens)))
      await tokens.system.revokeAll({ all: true })
      bad = made[seed]?.record.id
      for (const { token } of made) await tokens.verify(token, GET('/stock'))
      store.behave(({ method, number }) =>
        method === 'commit' && (number * 7 + seed) % 5 < 2 ? { do: 'fail-after', error: new Error('reset') } : undefined,
      )
      await flush(12)
      store.behave()
      bad = undefined
      await tokens.close()
      const { items } = await instance({ store: shared }).system.events({ action: 'token.refused', limit: 1000 })
      expect(totalOf(items)).toBe(10)
    }
  })
})

describe('a notice that the store always rejects', () => {
  it('a notice that the store always rejects is reported and skipped, and blocks no other notice', async () => {
    let bad: string | undefined
    const faults: FaultReport[] = []
    const { store } = picky(memoryStore(), (given) => 'events' in given && given.events.some(({ tokenId }) => tokenId === bad))
    const own = notifier({ store, onError: (fault) => void faults.push(fault) })
    await own.look()
    const ids: string[] = []
    for (let index = 0; index < 70; index += 1) ids.push(await own.make({ expiresIn: '10d' }))
    bad = ids[30]
    own.clock.now += 4 * DAY
    await own.look()
    own.clock.now += 6 * DAY
    await own.look()
    bad = undefined
    const told = await own.told()
    const count = (what: string) => told.filter((each) => each === what).length
    expect([count('token.expiring 7'), count('token.expired')]).toEqual([69, 69])
    expect(faults.filter(({ where }) => where === 'notices').map(({ error }) => error.message)).toEqual([
      expect.stringContaining('token.expiring'),
      expect.stringContaining('token.expired'),
    ])
  })
})

describe('a slow hash whose replacement the store refuses', () => {
  it('the other slow hashes are replaced even if the store refuses to replace one', async () => {
    let bad: string | undefined
    const { store } = picky(memoryStore(), (given) => 'updates' in given && given.updates?.[0]?.record.id === bad)
    const format = ownTokens({
      name: 'slow',
      key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
      verify: async (credential, hash) => hash === `hash of ${credential.split('-')[1]}`,
    })
    const tokens = accepting([format], { store, usage: { flushEvery: 60 } })
    const rows = Array.from({ length: 6 }, (_, key) => ({ key, hash: `hash of ${key}` }))
    await tokens.system.import(rows, { format, map: () => ({ name: 'Old', scopes: ['stock:read' as const] }) })
    const records = new Map<string, string>()
    for (const { key } of rows) {
      records.set(`k-${key}-secret`, (await tokens.introspect(`k-${key}-secret`)).record?.id ?? '')
      bad ??= records.get('k-0-secret')
      expect(await tokens.verify(`k-${key}-secret`)).toMatchObject({ ok: true })
    }
    await expect(tokens.flush()).rejects.toMatchObject({ code: 'store_unavailable' })
    const stored = await store.find([...records.values()])
    expect(stored.filter(({ importedHash }) => importedHash !== undefined).map(({ id }) => id)).toEqual([bad])
    bad = undefined
    await tokens.flush()
  })
})

describe('refused management calls by a huge number of actors', () => {
  it('the total of refused management calls includes all actors, even if not every actor is listed', async () => {
    const shared = memoryStore()
    const { tokens, flush } = node(shared)
    const { record } = await mint(tokens)
    let refused = 0
    for (let actor = 0; actor < 2_300; actor += 1) {
      const handle = tokens.as({ id: `user-${actor}`, tenants: ['acme'], manages: 'own' })
      // On a busy machine, a call may miss its deadline.
      await handle.revoke(record.id).catch(({ code }) => {
        if (code !== 'store_unavailable') refused += 1
      })
    }
    expect(refused).toBeGreaterThan(2_000)
    await flush(1)
    await tokens.close()
    const reader = instance({ store: shared })
    let total = 0
    let cursor: string | undefined
    do {
      const page = await reader.system.events({ action: 'management.refused', limit: 1000, cursor })
      total += totalOf(page.items)
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(total).toBe(refused)
  })
})
