import type { Latchkey, RateLimit } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { mint, principalOf, type Scope, until, verdict } from '../latchkey/harness.js'
import { kinds } from './servers.js'
import { limited } from './support.js'

const NODES = 4
const DAY = 86_400_000
const NOON = Date.parse('2026-11-22T12:00:00Z')

type World = { readonly nodes: readonly Latchkey<Scope>[]; setNow(now: number): void }

describe.each(kinds)('limits counted by $name', ({ skip, start }) => {
  const world = async (points: number, limit: Partial<RateLimit>): Promise<World> => {
    const { limiters, close } = await start(NODES, points, 600)
    onTestFinished(close)
    const store = memoryStore()
    let now = NOON
    const nodes = limiters.map((limiter) =>
      limited([{ name: 'uses', by: 'token', limiter, ...limit }], { store, clock: () => now, deadline: 15 }),
    )
    return {
      nodes,
      setNow: (to) => {
        now = to
      },
    }
  }
  const first = ({ nodes }: World): Latchkey<Scope> => nodes[0]!
  const spend = async ({ nodes }: World, token: string, uses: number): Promise<number> => {
    const verdicts = await Promise.all(Array.from({ length: uses }, (_, index) => verdict(nodes[index % NODES]!.verify(token))))
    for (const word of verdicts) expect(['ok', 'rate_limited']).toContain(word)
    return verdicts.filter((word) => word === 'ok').length
  }

  it.skipIf(skip)('a rate limit admits exactly as many of 200 parallel uses on several nodes as it has points', async () => {
    const all = await world(60, {})
    const { token } = await mint(first(all))
    expect(await spend(all, token, 200)).toBe(60)
  })

  it.skipIf(skip)(
    'a quota admits exactly as many of 200 parallel uses on several nodes as it has points, and refills on schedule',
    async () => {
      const all = await world(75, { refill: 'day' })
      const { token } = await mint(first(all))
      expect(await spend(all, token, 200)).toBe(75)
      all.setNow(NOON + DAY / 2 - 1)
      expect(await spend(all, token, 20)).toBe(0)
      all.setNow(NOON + DAY / 2)
      expect(await spend(all, token, 200)).toBe(75)
    },
  )

  it.skipIf(skip)('a quota reports how much remains and when it refills', async () => {
    const all = await world(3, { refill: 'day', points: () => 2 })
    const { token } = await mint(first(all))
    const answers = [await first(all).verify(token), await first(all).verify(token), await first(all).verify(token)]
    expect(answers.map(({ ok, rates }) => [ok, rates?.[0]?.limit, rates?.[0]?.remaining])).toEqual([
      [true, 2, 1],
      [true, 2, 0],
      [false, 2, 0],
    ])
    expect(answers[2]).toMatchObject({ retryAfterSeconds: 43_200, rates: [{ resetSeconds: 43_200, windowSeconds: 86_400 }] })
  })

  it.skipIf(skip)('a quota is never overspent while uses are refunded, and ends with the correct remainder', async () => {
    const all = await world(40, { refill: 'day' })
    const { token } = await mint(first(all))
    let kept = 0
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const node = all.nodes[index % NODES]!
        const answer = await node.verify(token)
        if (!answer.ok) return
        if (index % 2 === 0) deciderOf(node).countUse(answer.principal, { outcome: 'scope_insufficient' })
        else kept += 1
      }),
    )
    expect(kept).toBeLessThanOrEqual(40)
    let more = 0
    await until(async () => {
      more += await spend(all, token, 1)
      return kept + more === 40
    })
    expect(await spend(all, token, 20)).toBe(0)
  })

  it.skipIf(skip)('a refund after the end of a period does not add to the next period', async () => {
    const all = await world(2, { refill: 'day' })
    const { token } = await mint(first(all))
    const principal = await principalOf(first(all).verify(token))
    all.setNow(NOON + DAY)
    deciderOf(first(all)).countUse(principal, { outcome: 'scope_insufficient' })
    expect(await spend(all, token, 20)).toBe(2)
    expect(await spend(all, token, 20)).toBe(0)
  })
})
