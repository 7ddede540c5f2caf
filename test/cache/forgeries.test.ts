import type { FaultReport, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { instance, mint, pause, type Scope, verdict } from '../latchkey/harness.js'

const SECRET = 'S7rAnGe'.repeat(6)
const FLOODED = '192.0.2.1'
const OTHER = '198.51.100.1'
const STEP_MS = 25

/** A token that was never minted, with a matching checksum. */
function forgery(n: number): string {
  const body = `acme_test_${String(n).padStart(16, 'z')}_${SECRET}x`
  return body + checksum(defaultEngine.sha256(body))
}

/** Answers each `find` a few milliseconds late, like a database. */
const slowStore = (milliseconds: number) =>
  interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method === 'find') await pause(milliseconds)
    return proceed()
  })

async function promised(verification: ReturnType<Latchkey['verify']>): Promise<string> {
  const word = verdict(verification)
  await vi.advanceTimersByTimeAsync(10)
  return word
}

type Outcomes = Record<'flooded' | 'other' | 'forged', Record<string, number>>

/**
 * Forges tokens at a steady rate from one address. At each step, verifies a valid token from that address and one from another address.
 * Counts every verdict.
 */
async function flood(tokens: Latchkey<Scope>, perSecond: number, seconds: number, from: string | undefined = FLOODED): Promise<Outcomes> {
  const good = await Promise.all(Array.from({ length: 20 }, () => mint(tokens)))
  const outcomes: Outcomes = { flooded: {}, other: {}, forged: {} }
  const answers: Promise<void>[] = []
  const ask = (who: keyof Outcomes, token: string, ip: string | undefined): void => {
    const settled = verdict(tokens.verify(token, { ip })).then((word) => {
      outcomes[who][word] = (outcomes[who][word] ?? 0) + 1
    })
    answers.push(settled)
  }
  let forged = 0
  for (let step = 1; step <= (seconds * 1000) / STEP_MS; step += 1) {
    for (; forged < (perSecond * step * STEP_MS) / 1000; forged += 1) ask('forged', forgery(forged), from)
    const token = good[step % good.length]?.token ?? ''
    ask('flooded', token, from)
    ask('other', token, OTHER)
    await vi.advanceTimersByTimeAsync(STEP_MS)
  }
  await vi.advanceTimersByTimeAsync(5000)
  await Promise.all(answers)
  return outcomes
}

describe('forged tokens with a valid checksum, without a pepper and with an empty cache', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('no valid token is refused during 400 forgeries a second from one address', async () => {
    const outcomes = await flood(instance({ store: slowStore(5), cache: false, usage: false }), 400, 20)
    expect(outcomes).toEqual({ flooded: { ok: 800 }, other: { ok: 800 }, forged: { token_unknown: 8000 } })
  })

  it('at 5,000 forgeries a second from one address, only that address gets 503, and never 429', async () => {
    const outcomes = await flood(instance({ store: slowStore(5), cache: false, usage: false }), 5000, 4)
    expect(outcomes.other).toEqual({ ok: 160 })
    expect(Object.keys(outcomes.flooded).filter((word) => word !== 'ok')).toEqual(['store_unavailable'])
    expect(Object.keys(outcomes.forged).sort()).toEqual(['store_unavailable', 'token_unknown'])
    // The budget of the address allows this many, plus those in flight when it ran out.
    expect(outcomes.forged.token_unknown).toBeLessThanOrEqual(500 + 500 * 4 + 2 * 125)
  })

  it('charges forgeries from unknown addresses to a separate budget, and still answers callers with an address', async () => {
    const outcomes = await flood(instance({ store: slowStore(5), cache: false, usage: false }), 8000, 2, undefined)
    expect(outcomes.other).toEqual({ ok: 80 })
    expect(Object.keys(outcomes.forged).sort()).toEqual(['store_unavailable', 'token_unknown'])
  })

  it('reports every 503 for 5,000 forgeries a second to onError, each with a separate error', async () => {
    const faults: FaultReport[] = []
    const tokens = instance({ store: slowStore(5), cache: false, usage: false, onError: (fault) => faults.push(fault) })
    const outcomes = await flood(tokens, 5000, 1)
    const throttled = ['flooded', 'forged'].reduce((sum, who) => sum + (outcomes[who as keyof Outcomes].store_unavailable ?? 0), 0)
    expect(throttled).toBeGreaterThan(1)
    expect(faults).toHaveLength(throttled)
    expect(new Set(faults.map(({ error }) => error)).size).toBe(throttled)
  })

  it('answers 503, never 429, to forgeries and valid tokens beyond the capacity of the store', async () => {
    const tokens = instance({ store: slowStore(2500), cache: false, usage: false, deadline: 1 })
    const outcomes = await flood(tokens, 400, 4)
    for (const words of Object.values(outcomes)) expect(Object.keys(words)).toEqual(['store_unavailable'])
  })

  it('also charges an address for guesses at the secret of a known ID', async () => {
    const tokens = instance({ store: slowStore(5), cache: false, usage: false })
    const { token } = await mint(tokens)
    const body = token.slice(0, -49) + SECRET
    const guesses = Array.from({ length: 2000 }, async (_, n) => {
      await pause(n)
      const guess = body + (n % 10)
      return verdict(tokens.verify(guess + checksum(defaultEngine.sha256(guess)), { ip: FLOODED }))
    })
    await vi.advanceTimersByTimeAsync(2100)
    const words = await Promise.all(guesses)
    expect(new Set(words)).toEqual(new Set(['secret_mismatch', 'store_unavailable']))
    expect(words.filter((word) => word === 'secret_mismatch').length).toBeLessThanOrEqual(500 + 500 * 2 + 50)
    expect(await promised(tokens.verify(token, { ip: OTHER }))).toBe('ok')
  })

  it('makes no store call for forgeries when a pepper is set', async () => {
    let finds = 0
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      if (method === 'find') finds += 1
      return proceed()
    })
    const tokens = instance({ store, cache: false, usage: false, pepper: 'a pepper of at least thirty-two characters' })
    const outcomes = await flood(tokens, 5000, 1)
    expect(outcomes).toEqual({ flooded: { ok: 40 }, other: { ok: 40 }, forged: { token_malformed: 5000 } })
    expect(finds).toBeLessThanOrEqual(2 * 40)
  })

  it('refuses no token that was created with a pepper, while forgeries without it are still looked up', async () => {
    const pepper = 'a pepper of at least thirty-two characters'
    const store = slowStore(5)
    const before = instance({ store, cache: false, usage: false })
    const tokens = instance({ store, cache: false, usage: false, pepper: [pepper, false] })
    const [old, fresh] = [await mint(before), await mint(tokens)]
    const forgeries = Array.from({ length: 2000 }, (_, n) => verdict(tokens.verify(forgery(n), { ip: FLOODED })))
    await vi.advanceTimersByTimeAsync(1000)
    expect(new Set(await Promise.all(forgeries))).toEqual(new Set(['token_unknown']))
    expect(await promised(tokens.verify(old.token, { ip: FLOODED }))).toBe('store_unavailable')
    expect(await promised(tokens.verify(fresh.token, { ip: FLOODED }))).toBe('ok')
  })
})
