import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { instance, mint, verdict } from '../latchkey/harness.js'

const SECRET = 'S7rAnGe'.repeat(6)
const FLOODING = '192.0.2.1'
const OTHER = '198.51.100.1'

/** A token that was never minted, with a matching checksum. */
function forgery(n: number): string {
  const body = `acme_test_${String(n).padStart(16, 'z')}_${SECRET}x`
  return body + checksum(defaultEngine.sha256(body))
}

/** An instance whose lookups wait until they are released, a clock that the test sets, and the number of IDs looked up. */
function held() {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  let release = (): void => undefined
  let released: Promise<void> = Promise.resolve()
  const looked = { up: 0 }
  const store = interceptStore(memoryStore(), async ({ method, args }, proceed) => {
    if (method === 'find') {
      looked.up += (args[0] as readonly string[]).length
      await released
    }
    return proceed()
  })
  return {
    tokens: instance({ store, cache: false, usage: false, deadline: 60 }),
    looked,
    hold: () => {
      released = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => release(),
    pass: (ms: number) => vi.advanceTimersByTime(ms),
  }
}

type World = ReturnType<typeof held>

/** Sends tokens in small groups, as they arrive at a server, and returns the pending verdicts. */
async function send({ tokens }: World, list: readonly (readonly [token: string, ip: string | undefined])[]): Promise<Promise<string>[]> {
  const verdicts: Promise<string>[] = []
  for (const [at, [token, ip]] of list.entries()) {
    verdicts.push(verdict(tokens.verify(token, { ip })))
    if (at % 50 === 49) for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
  }
  return verdicts
}

const forgeries = (count: number, ipOf: (n: number) => string | undefined, from = 0) =>
  Array.from({ length: count }, (_, n) => [forgery(from + n), ipOf(n)] as const)

describe('lookups by many callers in a slow store', () => {
  it.each([
    ['one address', 24_000, () => FLOODING],
    ['unknown addresses', 40_000, () => undefined],
    ['thirty addresses', 60_000, (n: number) => `192.0.2.${n % 30}`],
    ['one IPv6 site', 60_000, (n: number) => `2001:db8:aaaa:${(n % 60_000).toString(16)}::1`],
  ])('a flood of forged tokens from %s leaves room for a valid token from elsewhere', async (_, count, ipOf) => {
    const world = held()
    const { token } = await mint(world.tokens)
    world.hold()
    const forged = await send(world, forgeries(count, ipOf))
    const valid = verdict(world.tokens.verify(token, { ip: OTHER }))
    world.release()
    expect(await valid).toBe('ok')
    expect(new Set(await Promise.all(forged))).toEqual(new Set(['token_unknown', 'store_unavailable']))
  })

  it('guesses from many addresses leave room for a valid token from an unknown address', async () => {
    const world = held()
    const { token } = await mint(world.tokens)
    world.hold()
    const forged = await send(
      world,
      forgeries(60_000, (n) => `192.0.2.${n % 30}`),
    )
    const valid = verdict(world.tokens.verify(token))
    world.release()
    expect(await valid).toBe('ok')
    await Promise.all(forged)
  })

  it('looks up two thousand valid uncached tokens from one address concurrently, before any lookup has been answered', async () => {
    const world = held()
    const minted = await Promise.all(Array.from({ length: 2000 }, () => mint(world.tokens)))
    world.hold()
    const valid = await send(
      world,
      minted.map(({ token }) => [token, FLOODING]),
    )
    world.release()
    expect(new Set(await Promise.all(valid))).toEqual(new Set(['ok']))
  })

  it('looks up at most 500 forged tokens a second from one address after a burst of 3,000, at any store speed', async () => {
    const world = held()
    const before = world.looked.up
    for (let second = 0; second < 12; second += 1) {
      world.hold()
      const forged = await send(
        world,
        forgeries(4000, () => FLOODING, second * 4000),
      )
      world.release()
      await Promise.all(forged)
      expect(world.looked.up - before).toBeLessThanOrEqual(3000 + 500 * second)
      world.pass(1000)
    }
    expect(world.looked.up - before).toBeGreaterThan(5000)
  })

  it('looks up at most 2,000 forged tokens a second from one IPv6 /48 after a burst of 15,000, at any store speed', async () => {
    const world = held()
    const before = world.looked.up
    for (let second = 0; second < 8; second += 1) {
      world.hold()
      const forged = await send(
        world,
        forgeries(16_000, (n) => `2001:db8:aaaa:${n.toString(16)}::1`, second * 16_000),
      )
      world.release()
      await Promise.all(forged)
      expect(world.looked.up - before).toBeLessThanOrEqual(15_000 + 2000 * second)
      world.pass(1000)
    }
    expect(world.looked.up - before).toBeGreaterThan(10_000)
  })

  it('an address can use its share again once its lookups have failed or ended', async () => {
    const world = held()
    const { token } = await mint(world.tokens)
    for (let round = 0; round < 4; round += 1) {
      world.hold()
      const verdicts = await send(
        world,
        Array.from({ length: 2400 }, (_, n) => [n === 0 ? token : forgery(n), `192.0.2.${n === 0 ? 1 : 1 + (n % 2)}`] as const),
      )
      world.release()
      expect((await Promise.all(verdicts))[0]).toBe('ok')
      world.pass(10_000)
    }
  })
})
