import { describe, expect, it } from 'vitest'
import { type KeySource, remoteKeys } from '../../../src/extensions/jwt/key-source.js'
import { generateSigningKey } from '../../../src/extensions/jwt/keys.js'

const MINUTE = 60_000

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
    ask: async () => (await source({ alg, kid }, { payload: '', signature: '' })) !== undefined,
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
