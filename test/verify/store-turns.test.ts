import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import type { Presenter } from '../../src/model/presenter.js'
import { createDigesters } from '../../src/token/digest.js'
import { platformRandom } from '../../src/token/random.js'
import { mintTicket } from '../../src/token/ticket.js'
import { StoreTurns } from '../../src/verify/store-turns.js'
import { instance, mint, until } from '../latchkey/harness.js'

/** A ticket that was never saved, with the checksum that anyone can compute. */
const FORGED_TICKET = mintTicket(createDigesters([])[0], 'acme_test', platformRandom).ticket

/** Reads that end when the test releases them. */
function heldReads(deadlineMs = 60_000) {
  let now = 0
  const reported: unknown[] = []
  const turns = new StoreTurns({ monotonic: () => now, deadlineMs }, (_, error) => reported.push(error))
  const advance = (ms: number): void => {
    now += ms
  }
  const running: { readonly name: string; readonly end: () => void }[] = []
  const names: string[] = []
  const read = (from: Presenter, name: string, leftMs?: number): Promise<void> =>
    turns.run(from, 'store.find', leftMs, () => {
      names.push(name)
      return new Promise<void>((resolve) => running.push({ name, end: resolve }))
    })
  return { read, running, names, reported, advance }
}

it('runs 16 reads at the same time, at most 12 for one network, and a flooding network does not delay the first read of another', async () => {
  const { read, running, names } = heldReads()
  const all = Array.from({ length: 100 }, (_, at) => read(`203.0.113.${at}`, 'flood'))
  all.push(read('198.51.100.7', 'ada'), read({ id: 'client:partner' }, 'partner'), read(undefined, 'unknown'))
  await until(() => names.length === 15)
  expect(names.slice(12)).toEqual(['ada', 'partner', 'unknown'])
  for (const { end } of running.splice(0, 4)) end()
  await until(() => names.length === 19)
  expect(names.slice(15)).toEqual(['flood', 'flood', 'flood', 'flood'])
  while (names.length < all.length || running.length > 0) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || names.length === all.length)
  }
  await Promise.all(all)
})

it('the addresses of one network take turns', async () => {
  const { read, running, names } = heldReads()
  const flood = Array.from({ length: 50 }, () => read('203.0.113.9', 'flood'))
  const neighbor = read('203.0.113.10', 'neighbor')
  await until(() => names.length === 12)
  for (const { end } of running.splice(0, 2)) end()
  await until(() => names.length === 14)
  expect(names.slice(12).sort()).toEqual(['flood', 'neighbor'])
  while (running.length > 0 || names.length < 51) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || names.length === 51)
  }
  await Promise.all([...flood, neighbor])
})

it('never starts a read whose deadline passed while it waited, and starts other reads once hanging reads reach their deadline', async () => {
  const { read, names, advance } = heldReads(50)
  const hanging = Array.from({ length: 20 }, () => read('203.0.113.9', 'hanging').catch(({ code }) => code))
  advance(50)
  expect(await Promise.all(hanging)).toEqual(hanging.map(() => 'store_unavailable'))
  expect(names).toHaveLength(12)
  void read('203.0.113.9', 'later').catch(() => undefined)
  await until(() => names.at(-1) === 'later')
})

it.each(['acme', 'urn:acme'])('the actors of the tenant %s cannot fill the whole queue together', async (tenant) => {
  const { read, names } = heldReads(10_000)
  const refused: unknown[] = []
  for (let user = 0; user < 100; user += 1)
    for (let at = 0; at < 200; at += 1) void read({ id: `user ${user}`, group: [tenant] }, 'flood').catch((error) => refused.push(error))
  await until(() => refused.length > 10_000)
  let other: unknown
  void read({ id: 'bob', group: ['other'] }, 'bob').catch((error: unknown) => {
    other = error
  })
  await until(() => names.includes('bob'))
  expect([other, names.length]).toEqual([undefined, 13])
})

it.each([
  ['one actor that acts in one tenant after another', 2_000, (at: number) => ({ id: 'eve', group: [`t${Math.floor(at / 1_500)}`] })],
  ['one actor in overlapping lists of tenants', 2_000, (at: number) => ({ id: 'eve', group: ['a', `t${at % 4}`] })],
  ['the actors of a tenant with different lists of tenants', 5_000, (at: number) => ({ id: `eve ${at % 96}`, group: ['a', `t${at % 8}`] })],
] as const)('%s: at most %i calls wait, and another call starts immediately', async (_who, most, from) => {
  const { read, names } = heldReads(10_000)
  let refused = 0
  const all = 9_000
  for (let at = 0; at < all; at += 1) {
    void read(from(at), 'flood').catch(() => {
      refused += 1
    })
  }
  await until(() => names.length === 12)
  // Refusals are known a few turns of the event loop after their calls.
  await until(() => all - refused <= most + 20)
  void read({ id: 'bob', group: ['other'] }, 'bob').catch(() => undefined)
  await until(() => names.includes('bob'))
})

it('a read keeps its slot until it ends, even if its caller is gone', async () => {
  const { read, running, names } = heldReads()
  const gone = Array.from({ length: 16 }, (_, at) => read(`203.0.${at % 2}.9`, 'gone', 10).catch(({ code }) => code))
  expect(await Promise.all(gone)).toEqual(gone.map(() => 'store_unavailable'))
  const later = read('198.51.100.7', 'later')
  expect(names).toHaveLength(16)
  running[0]?.end()
  await until(() => names.at(-1) === 'later')
  running.at(-1)?.end()
  await later
})

it('refuses a read that has less time left than recent reads took', async () => {
  const { read, running, names, advance } = heldReads()
  const slow = Array.from({ length: 12 }, () => read('203.0.113.9', 'slow'))
  await until(() => names.length === 12)
  const short = read('203.0.113.9', 'short of time', 4_000).catch((error: unknown) => error)
  const patient = read('203.0.113.9', 'patient', 30_000)
  advance(3_900)
  for (const { end } of running.splice(0, 1)) end()
  await until(() => names.length === 13)
  expect(names.at(-1)).toBe('patient')
  expect(await short).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('too slow') })
  for (const { end } of running) end()
  await Promise.all([...slow, patient])
})

it('refuses the reads of a caller that already fills a quarter of the queue, and admits the reads of other callers', async () => {
  const { read, names, reported } = heldReads(10_000)
  for (let at = 0; at < 4_000; at += 1) void read('203.0.113.9', 'flood').catch(() => undefined)
  await expect(read('203.0.113.9', 'flood')).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(reported.at(-1)).toMatchObject({ code: 'store_unavailable' })
  void read('198.51.100.7', 'ada').catch(() => undefined)
  await until(() => names.includes('ada'))
  expect(names).toHaveLength(13)
})

it.each([
  ['tickets', 12, (tokens: Latchkey) => internalsOf(tokens).redeem?.(FORGED_TICKET, { ip: '203.0.113.9' })],
  ['introspections', 12, (tokens: Latchkey, token: string) => tokens.introspect(token)],
  ['leak reports of one token', 9, (tokens: Latchkey, token: string) => tokens.system.reportLeak({ token, action: 'notify' })],
] as const)('a flood of %s by one caller has at most %i reads in the store at the same time', async (_what, places, ask) => {
  let atOnce = 0
  let most = 0
  const held: (() => void)[] = []
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method !== 'takeTicket' && method !== 'find') return proceed()
    atOnce += 1
    most = Math.max(most, atOnce)
    await new Promise<void>((resolve) => held.push(resolve))
    atOnce -= 1
    return proceed()
  })
  const tokens = instance({ store })
  const { token } = await mint(instance())
  let answered = 0
  const count = (): void => {
    answered += 1
  }
  for (let at = 0; at < 200; at += 1) void Promise.resolve(ask(tokens, token)).then(count, count)
  await until(() => held.length === places)
  while (answered < 200) {
    for (const resolve of held.splice(0)) resolve()
    await until(() => held.length > 0 || answered === 200)
  }
  expect(most).toBe(places)
})

it('slow calls from one network neither delay calls from other networks nor cause their refusal', async () => {
  const { read, running, names, advance } = heldReads(2_000)
  for (let round = 0; round < 3; round += 1) {
    const started = names.length
    const slow = Promise.allSettled(Array.from({ length: 40 }, () => read('203.0.113.9', 'slow')))
    await until(() => names.length === started + 12)
    const quick = read('198.51.100.7', 'quick')
    await until(() => names.at(-1) === 'quick')
    advance(5)
    running.pop()?.end()
    await quick
    advance(1_200)
    for (const { end } of running.splice(0)) end()
    expect((await slow).filter(({ status }) => status === 'rejected')).toHaveLength(28)
  }
})

it('an actor that acts in many tenants gets no more turns than an actor that acts in a few', async () => {
  const { read, running, names } = heldReads()
  const flood = Array.from({ length: 400 }, (_, at) => read({ id: 'eve', group: [`t${at}`] }, 'eve'))
  const bob = read({ id: 'bob', group: ['bobs'] }, 'bob')
  let done = false
  void bob.then(() => {
    done = true
  })
  while (!done) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || done)
  }
  expect(names.length).toBeLessThan(60)
  let over = false
  void Promise.all(flood).then(() => {
    over = true
  })
  while (!over) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || over)
  }
})

it('calls that a store answers synchronously yield to the event loop every 20 ms', async () => {
  let now = 0
  const turns = new StoreTurns({ monotonic: () => now, deadlineMs: 60_000 }, () => undefined)
  let made = 0
  const work = (): void => {
    now += 5
    made += 1
  }
  let meanwhile = -1
  setImmediate(() => {
    meanwhile = made
  })
  await Promise.all(Array.from({ length: 200 }, () => turns.run({ id: 'eve' }, 'store.commit', undefined, work)))
  expect(made).toBe(200)
  expect(meanwhile).toBeGreaterThan(0)
  expect(meanwhile).toBeLessThan(40)
})

it('a new call does not overtake calls that wait for the event loop', async () => {
  let now = 0
  const turns = new StoreTurns({ monotonic: () => now, deadlineMs: 60_000 }, () => undefined, 1)
  const order: string[] = []
  const work = (name: string) => (): void => {
    now += 50
    order.push(name)
  }
  const first = Array.from({ length: 3 }, (_, at) => turns.run({ id: `user ${at}` }, 'store.commit', undefined, work(`user ${at}`)))
  await first[0]
  const late = turns.run({ id: 'late' }, 'store.commit', undefined, work('late'))
  await Promise.all([...first, late])
  expect(order).toEqual(['user 0', 'user 1', 'user 2', 'late'])
})

const tenants = (...group: string[]) => group

it.each([
  ['an actor that alternates between two tenants', 12, (at: number) => ({ id: 'eve', group: [`t${at % 2}`] })],
  ['an actor in many tenants', 12, (at: number) => ({ id: 'eve', group: [`t${at}`] })],
  ['an actor in overlapping sets of tenants', 12, (at: number) => ({ id: 'eve', group: at % 2 ? ['a'] : ['a', 'b'] })],
  ['actors of a tenant that occurs in many sets', 12, (at: number) => ({ id: `eve ${at}`, group: ['a', `t${at}`] })],
  ['an actor and tokens of its tenant', 12, (at: number) => ({ id: at % 2 ? 'eve' : `token:${at}`, group: at % 3 ? ['a'] : ['a', 'b'] })],
  ['the application in many tenants', 12, (at: number) => ({ id: 'system', unlimited: true, group: [`t${at}`] })],
  ['the application in one tenant', 9, () => ({ id: 'system', unlimited: true, group: ['a'] })],
  ['one actor of a tenant', 9, () => ({ id: 'eve', group: ['a'] })],
  ['one address', 12, () => '203.0.113.9'],
  ['tokens without a tenant', 12, (at: number) => ({ id: `token:${at}`, group: 'tokens' as const })],
] as const)('%s: a flood holds %i of 16 slots, and a call by another caller starts immediately', async (_who, most, from) => {
  const { read, running, names } = heldReads()
  const flood = Array.from({ length: 100 }, (_, at) => read(from(at), 'flood'))
  await until(() => names.length === most)
  const other = read({ id: 'bob', group: tenants('bobs') }, 'other')
  await until(() => names.length === most + 1)
  expect(names.at(-1)).toBe('other')
  while (names.length < 101 || running.length > 0) {
    for (const { end } of running.splice(0, 5)) end()
    await until(() => running.length > 0 || names.length === 101)
  }
  await Promise.all([...flood, other])
})

it.each([
  ['another actor of the same tenant', { id: 'eve', group: tenants('a') }, { id: 'alice', group: tenants('a') }],
  [
    'the application in another tenant',
    { id: 'system', unlimited: true, group: tenants('a') },
    { id: 'system', unlimited: true, group: tenants('b') },
  ],
  [
    'an actor, during a flood by the application in its tenant',
    { id: 'system', unlimited: true, group: tenants('a') },
    { id: 'alice', group: tenants('a') },
  ],
] as const)('a call by %s starts immediately', async (_who, flooding, other) => {
  const { read, running, names } = heldReads()
  const flood = Array.from({ length: 100 }, () => read(flooding, 'flood'))
  await until(() => names.length === 9)
  flood.push(read(other, 'other'))
  await until(() => names.length === 10)
  expect(names.at(-1)).toBe('other')
  while (names.length < 101 || running.length > 0) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || names.length === 101)
  }
  await Promise.all(flood)
})

it('the application can act in any number of tenants at the same time, each with its own turn', async () => {
  const { read, running, names } = heldReads()
  const system = { id: 'system', unlimited: true }
  const flood = Array.from({ length: 600 }, (_, at) => read({ ...system, group: tenants(`t${at % 6}`) }, 'flood'))
  const bob = read({ ...system, group: tenants('bobs') }, 'bob')
  while (!names.includes('bob')) {
    const before = names.length
    running.shift()?.end()
    await until(() => names.length > before)
  }
  expect(names.length).toBeLessThan(40)
  while (names.length < 601 || running.length > 0) {
    for (const { end } of running.splice(0)) end()
    await until(() => running.length > 0 || names.length === 601)
  }
  await Promise.all([...flood, bob])
})

it("a caller's first call is not refused because calls by other callers are slow", async () => {
  const { read, running, names, advance } = heldReads(2_000)
  const slow = ['eve', 'mallory'].flatMap((id) => Array.from({ length: 40 }, () => read({ id, group: tenants('a') }, 'slow')))
  const others = Array.from({ length: 4 }, (_, at) => read({ id: `carl ${at}` }, 'slow'))
  const over = Promise.allSettled([...slow, ...others])
  await until(() => names.length === 16)
  const alice = read({ id: 'alice', group: tenants('a') }, 'alice')
  const bob = read({ id: 'bob', group: tenants('b') }, 'bob')
  advance(1_800)
  for (const { end } of running.splice(0)) end()
  await until(() => names.includes('alice') && names.includes('bob'))
  for (const { end } of running.splice(0)) end()
  await Promise.all([alice, bob])
  await over
})

it('with any mix of callers, no caller exceeds a limit, no slot stays free while a caller could take it, and every call ends', async () => {
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((seed / 2_147_483_648) * below)
  }
  type Waiting = { readonly limits: readonly (readonly [string, number])[]; readonly at: number }
  const waiting = new Set<Waiting>()
  const running = new Map<Waiting, () => void>()
  const turns = new StoreTurns({ monotonic: () => 0, deadlineMs: 60_000 }, () => undefined)
  const count = (key: string): number => [...running.keys()].filter(({ limits }) => limits.some(([own]) => own === key)).length
  const mayStart = ({ limits }: Waiting): boolean => limits.every(([key, most]) => count(key) < most)
  const calls: Promise<unknown>[] = []
  let ended = 0
  const ask = (at: number): void => {
    const id = `user ${random(5)}`
    const group = [...new Set(Array.from({ length: 1 + random(3) }, () => `t${random(5)}`))].sort()
    const own = `${id} in ${group}`
    const limits = [[id, 12], [own, 9], [group.join(), 12], ...group.map((tenant) => [tenant, 12] as const)] as const
    const call: Waiting = { limits, at }
    waiting.add(call)
    const work = (): Promise<void> => {
      waiting.delete(call)
      running.set(call, () => undefined)
      return new Promise<void>((resolve) => running.set(call, resolve))
    }
    // Some callers give up while they wait.
    const leftMs = random(10) === 0 ? 1 + random(5) : undefined
    const end = (): void => {
      waiting.delete(call)
      ended += 1
    }
    calls.push(turns.run({ id, group }, 'store.find', leftMs, work).then(end, end))
  }
  for (let round = 0; round < 150; round += 1) {
    for (let more = random(12); more > 0; more -= 1) ask(calls.length)
    await until(() => running.size === 16 || ![...waiting].some(mayStart))
    for (const { limits } of running.keys()) for (const [key, most] of limits) expect(count(key)).toBeLessThanOrEqual(most)
    for (const [call, end] of [...running]) {
      if (random(3) > 0) continue
      running.delete(call)
      end()
    }
  }
  while (ended < calls.length) {
    for (const [call, end] of [...running]) {
      running.delete(call)
      end()
    }
    await until(() => running.size > 0 || ended === calls.length)
  }
  await Promise.all(calls)
})

it('ten thousand calls finish quickly when only a few can run at a time', async () => {
  const turns = new StoreTurns({ monotonic: () => 0, deadlineMs: 60_000 }, () => undefined)
  const work = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const ask = (from: Presenter) => turns.run(from, 'store.find', undefined, work)
  await Promise.all([
    ...Array.from({ length: 10_000 }, (_, at) => ask({ id: 'system', unlimited: true, group: tenants(`t${at}`) })),
    ...Array.from({ length: 2_000 }, (_, at) => ask({ id: `user ${at}`, group: tenants('a', `t${at}`) })),
  ])
})

it('work that hangs in the store stops counting against its caller after a limited time', async () => {
  const turns = new StoreTurns({ monotonic: () => performance.now(), deadlineMs: 20 }, () => {}, 4, 60)
  const eve = { id: 'eve', group: ['t1'] }
  const started: string[] = []
  const ask = (from: Presenter, name: string): Promise<unknown> =>
    turns
      .run(from, 'store.list', undefined, async (track) => {
        started.push(name)
        void track(new Promise<never>(() => {}))
        await new Promise((resolve) => setTimeout(resolve, 20))
      })
      .catch(({ code }) => code)
  await Promise.all([ask(eve, 'eve'), ask(eve, 'eve')])
  await ask({ id: 'bob', group: ['t2'] }, 'bob')
  expect(started).toEqual(['eve', 'eve', 'bob'])
  while (started.at(-1) !== 'later') await ask(eve, 'later')
})

it('tracks the answer of a lazy query without running the query twice', async () => {
  const turns = new StoreTurns({ monotonic: () => 0, deadlineMs: 60_000 }, () => {}, 4, 60_000)
  let runs = 0
  const lazy = {
    // biome-ignore lint/suspicious/noThenProperty: This is what a lazy query looks like.
    then(resolve: (value: string) => void) {
      runs += 1
      resolve('rows')
    },
  }
  expect(await turns.run('203.0.113.9', 'store.list', undefined, async (track) => await track(lazy))).toBe('rows')
  expect(runs).toBe(1)
})
