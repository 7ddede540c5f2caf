import { describe, expect, it, vi } from 'vitest'
import { type KeySource, remoteKeys } from '../../../src/extensions/jwt/key-source.js'
import { generateSigningKey, type SigningKey } from '../../../src/extensions/jwt/keys.js'

const MINUTE = 60_000
const SECOND = 1000
const JWS = { payload: '', signature: '' }

/** A source of keys whose time and whose issuer the test moves. */
async function issuer() {
  const { publicJwk, kid, alg } = await generateSigningKey()
  const told: string[] = []
  let now = 0
  let answer: () => Promise<unknown> = async () => ({ keys: [publicJwk] })
  const source: KeySource = remoteKeys(
    async () => 'https://auth.example/jwks',
    () => answer(),
    (where) => told.push(where),
    () => now,
  )
  return {
    told,
    ask: async () => (await source({ alg, kid }, JWS, now + 2000)) !== undefined,
    elapse: (ms: number) => {
      now += ms
    },
    is: (next: typeof answer) => {
      answer = next
    },
    publishes: () => {
      answer = async () => ({ keys: [publicJwk] })
    },
  }
}

describe('an issuer that hangs', () => {
  it('is waited for once, and holds up nobody afterwards while its keys count', async () => {
    const { told, ask, elapse, is, publishes } = await issuer()
    expect(await ask()).toBe(true)
    elapse(11 * MINUTE)
    is(() => Promise.reject(new Error('no answer')))
    expect(await ask()).toBe(true)
    expect(told).toEqual(['keys'])
    elapse(MINUTE)
    is(() => new Promise(() => undefined))
    expect(await Promise.all([ask(), ask()])).toEqual([true, true])
    publishes()
    elapse(24 * 60 * MINUTE)
    // Nothing counts any more, so that this one waits for the fetch that hangs.
    const waiting = ask().then(
      () => 'answered',
      () => 'failed',
    )
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits')
  })

  it('is waited for again once it has answered', async () => {
    const { ask, elapse, is, publishes } = await issuer()
    await ask()
    elapse(11 * MINUTE)
    is(() => Promise.reject(new Error('no answer')))
    await ask()
    elapse(MINUTE)
    publishes()
    expect(await ask()).toBe(true)
    elapse(11 * MINUTE)
    const { publicJwk } = await generateSigningKey()
    is(async () => ({ keys: [publicJwk] }))
    expect(await ask()).toBe(false)
  })
})

/** An issuer that publishes what the test says, asked about keys by their names. */
function publisher() {
  let now = 0
  let fetches = 0
  let answer: () => Promise<unknown> = () => Promise.reject(new Error('ECONNREFUSED'))
  const source = remoteKeys(
    async () => 'https://auth.example/jwks',
    () => {
      fetches += 1
      return answer()
    },
    () => undefined,
    () => now,
  )
  return {
    elapse(ms: number) {
      now += ms
    },
    is(next: typeof answer) {
      answer = next
    },
    publish(...keys: readonly SigningKey[]) {
      answer = async () => ({ keys: keys.map(({ publicJwk }) => publicJwk) })
    },
    fetches: () => fetches,
    ask: (kid: string, leftMs: number = 2 * SECOND) =>
      source({ alg: 'ES256', kid }, JWS, now + leftMs).then(
        (key) => (key === undefined ? 'no such key' : 'found'),
        (error: { code?: string }) => error.code,
      ),
  }
}

describe('a key that is not known', () => {
  it('is never "no such key" while its issuer is down, and is found soon after', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, elapse, is, publish } = publisher()
    publish(old)
    expect(await ask(old.kid)).toBe('found')
    is(() => Promise.reject(new Error('ECONNREFUSED')))
    for (let at = 0; at < 100; at += 1) {
      expect(await ask(next.kid)).toBe('store_unavailable')
      expect(await ask(old.kid)).toBe('found')
      elapse(SECOND)
    }
    publish(old, next)
    const answers: unknown[] = []
    for (let at = 0; at < 11; at += 1) {
      answers.push(await ask(next.kid))
      elapse(SECOND)
    }
    expect(answers).not.toContain('no such key')
    expect(answers.at(-1)).toBe('found')
  })

  it('is found while strangers make up names, who cause a fetch in ten seconds at most', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, elapse, fetches, publish } = publisher()
    publish(old)
    for (let at = 0; at < 600; at += 1) {
      expect(['no such key', 'store_unavailable']).toContain(await ask(`made up ${at}`))
      elapse(SECOND)
    }
    expect(fetches()).toBeLessThanOrEqual(4 + 60)
    publish(old, next)
    const answers: unknown[] = []
    for (let at = 0; at < 11; at += 1) {
      answers.push(await ask(next.kid))
      await ask(`made up again ${at}`)
      elapse(SECOND)
    }
    expect(answers).not.toContain('no such key')
    expect(answers.at(-1)).toBe('found')
  })

  it('is found at once although a stranger asked for another just before it was published', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, elapse, publish } = publisher()
    publish(old)
    await ask(old.kid)
    elapse(31 * SECOND)
    expect(await ask('junk')).toBe('no such key')
    publish(old, next)
    elapse(2 * SECOND)
    expect(await ask(next.kid)).toBe('found')
  })

  it('is told by a fetch that began after it was asked about, not by one that was under way', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, fetches, is, publish } = publisher()
    publish(old)
    await ask(old.kid)
    let finish: (set: unknown) => void = () => undefined
    is(() => new Promise((resolve) => (finish = resolve)))
    const stranger = ask('junk')
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const good = [ask(next.kid), ask(next.kid)]
    // It read the keys before the new one was published.
    publish(old, next)
    await new Promise((resolve) => setImmediate(resolve))
    finish({ keys: [old.publicJwk] })
    expect(await Promise.all([stranger, ...good])).toEqual(['no such key', 'found', 'found'])
    expect(fetches()).toBe(3)
  })

  it('costs one fetch however often it is asked about, and is looked for again after ten seconds', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, elapse, fetches, publish } = publisher()
    publish(old)
    await ask(old.kid)
    for (let at = 0; at < 100; at += 1) expect(await ask(next.kid)).toBe('no such key')
    expect(fetches()).toBe(2)
    publish(old, next)
    elapse(10 * SECOND)
    expect(await ask(next.kid)).toBe('found')
  })

  it('holds up a request for no longer than its deadline, and the fetch goes on for the next', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, fetches, is, publish } = publisher()
    publish(old)
    await ask(old.kid)
    let finish: (set: unknown) => void = () => undefined
    is(() => new Promise((resolve) => (finish = resolve)))
    expect(await ask(next.kid, 5)).toBe('store_unavailable')
    expect(await ask(next.kid, 0)).toBe('store_unavailable')
    const late = ask(next.kid)
    finish({ keys: [next.publicJwk] })
    expect(await late).toBe('found')
    expect(fetches()).toBe(2)
  })
})
