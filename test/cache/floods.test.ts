import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../../src/cache/bounded-map.js'
import { GuessingBudget } from '../../src/cache/guessing.js'
import { deciderOf } from '../../src/instance.js'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { instance, mint, pause, until, verdict, warm } from '../latchkey/harness.js'

const SECRET = 'S7rAnGe'.repeat(6)

/** A token that was never minted, with the right format and, without a pepper, the right checksum. */
function stranger(n: number): string {
  const body = `acme_test_${String(n).padStart(16, 'z')}_${SECRET}x`
  return body + checksum(defaultEngine.sha256(body))
}

function counting() {
  let finds = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  return {
    store,
    get finds() {
      return finds
    },
  }
}

describe('a flood of tokens that do not exist', () => {
  it('a flood of 200,000 unknown tokens evicts no valid token, and its lookups stay within the budgets', {
    timeout: 60_000,
  }, async () => {
    const counter = counting()
    const tokens = instance({ store: counter.store, cache: { maxEntries: 100, maxStaleness: 60 } })
    const good = await Promise.all(Array.from({ length: 50 }, () => mint(tokens)))
    for (const { token } of good) await warm(tokens, token)
    const codes = new Map<string, number>()
    const began = performance.now()
    for (let n = 0; n < 200_000; n += 1) {
      // Alternately: not a token, a wrong checksum, a correct checksum.
      const forged = n % 3 === 0 ? `forged ${n}` : n % 3 === 1 ? `${stranger(n).slice(0, -6)}000000` : stranger(n)
      const code = await verdict(deciderOf(tokens).decide(forged, { ip: `10.0.${(n >> 8) & 3}.1` }))
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    const seconds = (performance.now() - began) / 1000
    expect([...codes.keys()].sort()).toEqual(['store_unavailable', 'token_malformed', 'token_unknown'])
    expect(codes.get('token_malformed')).toBeGreaterThan(133_000)
    const finds = counter.finds
    for (const { token } of good) expect(deciderOf(tokens).decide(token)).toMatchObject({ ok: true })
    expect(counter.finds).toBe(finds)
    // Four addresses have four bursts, plus the tokens that refill during the flood.
    expect(finds).toBeLessThan(4 * 500 * (1 + seconds) + 1000)
  })

  it('makes no store call for unknown tokens when a pepper is set', async () => {
    const counter = counting()
    const tokens = instance({ store: counter.store, pepper: 'a pepper of at least thirty-two characters' })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    const finds = counter.finds
    for (let n = 0; n < 20_000; n += 1) expect(deciderOf(tokens).decide(stranger(n))).toEqual({ ok: false, code: 'token_malformed' })
    expect(counter.finds).toBe(finds)
  })

  it('a flood throttles lookups of uncached tokens only for the address that sends it', async () => {
    const tokens = instance()
    const known = await mint(tokens)
    await warm(tokens, known.token)
    await Promise.allSettled(Array.from({ length: 2000 }, (_, n) => tokens.verify(stranger(n), { ip: '10.0.0.1' })))
    expect(await verdict(tokens.verify(stranger(999_999), { ip: '10.0.0.1' }))).toBe('store_unavailable')
    expect(await verdict(tokens.verify(stranger(999_999), { ip: '10.0.0.2' }))).toBe('token_unknown')
    expect(await verdict(tokens.verify(known.token, { ip: '10.0.0.1' }))).toBe('ok')
    const fresh = await mint(tokens)
    expect(await verdict(tokens.verify(fresh.token, { ip: '10.0.0.2' }))).toBe('ok')
    await until(async () => (await verdict(tokens.verify(fresh.token, { ip: '10.0.0.1' }))) === 'ok')
  })

  it('does not charge valid tokens to the guessing budget of their address', async () => {
    const tokens = instance({ cache: false })
    const { token } = await mint(tokens)
    for (let use = 0; use < 1500; use += 1) expect(await verdict(tokens.verify(token, { ip: '10.0.0.1' }))).toBe('ok')
  })

  it('looks up the same unknown ID in the store only occasionally', async () => {
    const counter = counting()
    const tokens = instance({ store: counter.store, cache: { maxStaleness: 60 } })
    await warm(tokens, (await mint(tokens)).token)
    const finds = counter.finds
    for (let n = 0; n < 300; n += 1) expect(await verdict(tokens.verify(stranger(1)))).toBe('token_unknown')
    expect(counter.finds - finds).toBeLessThan(10)
  })
})

describe('an ID that did not exist', () => {
  it('accepts an ID as soon as it exists, on this node and on other nodes', async () => {
    const store = memoryStore()
    const [here, there] = [instance({ store }), instance({ store })]
    for (const node of [here, there]) await warm(node, (await mint(here)).token)
    const { token, record } = await mint(here)
    const inserts = await store.find([record.id])
    await store.commit({ removals: [record.id], events: [] })
    for (const node of [here, there]) await until(async () => (await verdict(node.verify(token))) === 'token_unknown')
    await store.commit({ inserts, events: [] })
    for (const node of [here, there]) await until(async () => (await verdict(node.verify(token))) === 'ok')
  })
})

describe('an ID cached as missing', () => {
  it('does not trust that an ID is still unknown while the feed cannot be read', async () => {
    const shared = memoryStore()
    const store = faultyStore(shared)
    const [here, there] = [instance({ store, cache: { maxStaleness: 0.05 } }), instance({ store: shared })]
    const { token, record } = await mint(there)
    const inserts = await shared.find([record.id])
    await shared.commit({ removals: [record.id], events: [] })
    await warm(here, (await mint(there)).token)
    expect(await verdict(here.verify(token))).toBe('token_unknown')
    store.behave({ changes: { do: 'fail', error: new Error('down') } })
    await pause(60)
    await shared.commit({ inserts, events: [] })
    expect(await verdict(here.verify(token))).toBe('ok')
  })
})

describe('a bounded map', () => {
  it('keeps a bounded map within its limit, and retains the entries that are read', () => {
    const map = new BoundedMap<{ visited: boolean }>(100)
    map.set('kept', { visited: false })
    for (let n = 0; n < 10_000; n += 1) {
      expect(map.get('kept')).toBeDefined()
      map.set(`k${n}`, { visited: false })
      expect(map.size).toBeLessThanOrEqual(100)
    }
    map.delete('kept')
    expect(map.get('kept')).toBeUndefined()
    map.clear()
    expect(map.size).toBe(0)
  })

  it('evicts the least recently used entry of a bounded map first, and replaces entries in place', () => {
    const map = new BoundedMap<{ visited: boolean }>(3)
    for (const key of ['a', 'b', 'c']) map.set(key, { visited: false })
    map.get('a')
    map.set('c', { visited: false })
    map.set('d', { visited: false })
    expect(['a', 'b', 'c', 'd'].filter((key) => map.get(key) !== undefined)).toEqual(['a', 'c', 'd'])
  })
})

describe('the guessing budget', () => {
  it('spends and refills the guessing budget of each address separately', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    for (let guess = 0; guess < 500; guess += 1) {
      expect(budget.spent('10.0.0.1')).toBe(false)
      budget.spend('10.0.0.1')
    }
    expect(budget.spent('10.0.0.1')).toBe(true)
    expect(budget.spent('10.0.0.2')).toBe(false)
    now += 2
    expect(budget.spent('10.0.0.1')).toBe(false)
    budget.spend('10.0.0.1')
    expect(budget.spent('10.0.0.1')).toBe(true)
    now += 3_600_000
    for (let guess = 0; guess < 500; guess += 1) budget.spend('10.0.0.1')
    expect(budget.spent('10.0.0.1')).toBe(true)
  })

  it('the guessing budget of an address allows 400 guesses a second for a minute', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    for (let guess = 0; guess < 400 * 60; guess += 1) {
      expect(budget.spent('10.0.0.1')).toBe(false)
      budget.spend('10.0.0.1')
      now += 2.5
    }
  })

  it('the guessing budget forgets the address that was charged longest ago, not a busy address', () => {
    const budget = new GuessingBudget(() => 0)
    for (let guess = 0; guess < 500; guess += 1) budget.spend('192.0.2.1')
    for (let other = 0; other < 30_000; other += 1) {
      budget.spend(`10.0.${other >> 8}.${other & 255}`)
      if (other % 5000 === 0) budget.spend('192.0.2.1')
    }
    expect(budget.spent('192.0.2.1')).toBe(true)
  })

  it('the /64s of one IPv6 /48 share one larger guessing budget, and other sites have their own', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    const inSite = (n: number): string => `2001:db8:aaaa:${n.toString(16)}::1`
    let guesses = 0
    for (let n = 0; n < 65_536; n += 1) {
      if (budget.spent(inSite(n))) break
      budget.spend(inSite(n))
      guesses += 1
    }
    expect(guesses).toBe(5000)
    expect(budget.spent('2001:db8:bbbb::1')).toBe(false)
    now += 10
    for (let n = 0; n < 20; n += 1) {
      expect(budget.spent(inSite(n))).toBe(false)
      budget.spend(inSite(n))
    }
    expect(budget.spent(inSite(20))).toBe(true)
  })

  it('one address cannot use up the guessing budget of its site, even if it overdraws its own budget as far as possible', () => {
    let now = 0
    const budget = new GuessingBudget(() => now)
    for (let second = 0; second < 60; second += 1) {
      for (let guess = 0; guess < (second === 0 ? 3000 : 500); guess += 1) budget.spend('2001:db8:aaaa:1::1')
      expect(budget.spent('2001:db8:aaaa:1::2')).toBe(true)
      expect(budget.spent('2001:db8:aaaa:2::1')).toBe(false)
      now += 1000
    }
  })

  it('IPv4 addresses of one network have separate guessing budgets', () => {
    const budget = new GuessingBudget(() => 0)
    for (let guess = 0; guess < 20_000; guess += 1) budget.spend(`192.0.2.${guess % 50}`)
    expect(budget.spent('192.0.2.200')).toBe(false)
  })

  it('shares one larger guessing budget among callers without an address', () => {
    const budget = new GuessingBudget(() => 0)
    for (let guess = 0; guess < 4999; guess += 1) budget.spend(undefined)
    expect(budget.spent(undefined)).toBe(false)
    budget.spend(undefined)
    expect(budget.spent(undefined)).toBe(true)
  })
})

describe('a queue of reads', () => {
  it('a queue of reads from a slow store answers all valid tokens, and throttles a flood of unknown tokens', async () => {
    const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
      if (method === 'find') await pause(15)
      return proceed()
    })
    const tokens = instance({ store, cache: false, deadline: '60s' })
    const made = await Promise.all(Array.from({ length: 300 }, () => mint(tokens)))
    const answers: Promise<string>[] = []
    // Each verification starts in its own tick. Otherwise they would share a read.
    for (const { token } of made) {
      answers.push(verdict(tokens.verify(token)))
      await Promise.resolve()
      await Promise.resolve()
    }
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['ok']))
    const forged = await Promise.all(
      Array.from({ length: 30_000 }, (_, n) => verdict(tokens.verify(stranger(n), { ip: `10.1.${n >> 8}.${n & 255}` }))),
    )
    expect(new Set(forged)).toEqual(new Set(['token_unknown', 'store_unavailable']))
    expect(await verdict(tokens.verify(made[0]?.token ?? ''))).toBe('ok')
  })
})
