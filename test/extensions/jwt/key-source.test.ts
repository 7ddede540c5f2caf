import { randomBytes } from 'node:crypto'
import { FlattenedSign, flattenedVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/errors.js'
import { createFetchJson, discoverKeys, type KeySource, localKeys, remoteKeys } from '../../../src/extensions/jwt/key-source.js'
import { generateSigningKey, type SigningKey } from '../../../src/extensions/jwt/keys.js'
import { keyPair } from '../../support/keys.js'

const MINUTE = 60_000
const SECOND = 1000
const JWS = { payload: '', signature: '' }

/** A key source with a clock and an issuer that the test controls. */
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
  it('a hanging issuer delays one request, then none while its keys are valid', async () => {
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
    // The cached keys have expired, so this request waits for the hanging fetch.
    const waiting = ask().then(
      () => 'answered',
      () => 'failed',
    )
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits')
  })

  it('requests wait for the issuer again once it has recovered', async () => {
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

/** An issuer that publishes the given keys and looks them up by key ID. */
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

describe('an unknown key', () => {
  it('an unknown key is never reported as missing while the issuer is down, and is found soon after the issuer recovers', async () => {
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

  it('a new key is found while made-up key IDs arrive, which cause at most one fetch per ten seconds', async () => {
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

  it('a new key is found even if another caller presented an unknown ID just before its publication', async () => {
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

  it('a fetch that began before a key ID was presented does not decide whether the key exists', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, fetches, is, publish } = publisher()
    publish(old)
    await ask(old.kid)
    let finish: (set: unknown) => void = () => undefined
    is(() => new Promise((resolve) => (finish = resolve)))
    const stranger = ask('junk')
    await expect.poll(() => fetches()).toBe(2)
    const good = [ask(next.kid), ask(next.kid)]
    // This fetch read the keys before the new key was published.
    publish(old, next)
    await new Promise((resolve) => setImmediate(resolve))
    finish({ keys: [old.publicJwk] })
    expect(await Promise.all([stranger, ...good])).toEqual(['no such key', 'found', 'found'])
    expect(fetches()).toBe(3)
  })

  it('an unknown key ID costs one fetch however often it is presented, and is looked up again after ten seconds', async () => {
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

  it('an ID is looked up again ten seconds after the fetch that did not find it began, however long that fetch took', async () => {
    const [old, next] = [await generateSigningKey(), await generateSigningKey()]
    const { ask, elapse, fetches, is, publish } = publisher()
    publish(old)
    await ask(old.kid)
    let finish: (set: unknown) => void = () => undefined
    is(() => new Promise((resolve) => (finish = resolve)))
    const forged = ask(next.kid)
    await expect.poll(fetches).toBe(2)
    publish(old, next)
    elapse(1.5 * SECOND)
    finish({ keys: [old.publicJwk] })
    expect(await forged).toBe('no such key')
    elapse(8 * SECOND)
    expect(await ask(next.kid)).toBe('no such key')
    elapse(0.5 * SECOND)
    expect(await ask(next.kid)).toBe('found')
  })

  it('an unknown key delays a request no longer than its deadline, and the fetch continues for the next request', async () => {
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

describe('an issuer found by discovery', () => {
  const HOUR = 60 * MINUTE

  /** An issuer that can move its keys to another URL. */
  async function movable() {
    const { publicJwk, kid, alg } = await generateSigningKey()
    const state = { now: 0, uri: 'https://auth.example/old', metadata: 0 }
    const fetchJson = async (url: string): Promise<unknown> => {
      if (url.endsWith('openid-configuration')) {
        state.metadata += 1
        return { issuer: 'https://auth.example', jwks_uri: state.uri }
      }
      if (url !== state.uri) throw new StoreUnavailableError('the issuer answered with 404')
      return { keys: [publicJwk] }
    }
    const clock = (): number => state.now
    const source = remoteKeys(discoverKeys('https://auth.example', fetchJson, clock), fetchJson, () => undefined, clock)
    const ask = (name: string = kid) =>
      source({ alg, kid: name }, JWS, state.now + 2000).then(
        (key) => (key === undefined ? 'no such key' : 'found'),
        (error: { code?: string }) => error.code,
      )
    return { state, ask }
  }

  it('if the key URL of an issuer fails, its metadata is read again, and cached keys stay valid in the meantime', async () => {
    const { state, ask } = await movable()
    expect(await ask()).toBe('found')
    state.uri = 'https://auth.example/new'
    state.now += 11 * MINUTE
    expect(await ask()).toBe('found')
    expect(state.metadata).toBe(1)
    state.now += MINUTE
    expect(await ask()).toBe('found')
    expect(state.metadata).toBe(2)
    // By now the keys come from the new URL.
    await expect.poll(async () => await ask('another')).toBe('no such key')
  })

  it("a healthy issuer's metadata is fetched once a day", async () => {
    const { state, ask } = await movable()
    for (let hours = 0; hours < 23; hours += 1) {
      expect(await ask()).toBe('found')
      state.now += HOUR
    }
    expect(state.metadata).toBe(1)
    state.now += 2 * HOUR
    expect(await ask()).toBe('found')
    expect(state.metadata).toBe(2)
  })

  it('a discovered issuer is not followed to an http: URL; its keys expire after a day and verification then fails', async () => {
    const { state, ask } = await movable()
    await ask()
    state.uri = 'http://auth.example/new'
    for (let tries = 0; tries < 3; tries += 1) {
      state.now += 11 * MINUTE
      expect(await ask()).toBe('found')
    }
    state.now += 24 * HOUR
    expect(await ask()).toBe('store_unavailable')
  })
})

it('verification stops reading an endless issuer response', async () => {
  let sent = 0
  const chunk = new Uint8Array(64 * 1024)
  const body = new ReadableStream({
    pull(controller) {
      sent += chunk.byteLength
      controller.enqueue(chunk)
    },
  })
  const fetchJson = createFetchJson(
    async () => new Response(body),
    () => undefined,
  )
  await expect(fetchJson('https://auth.example/jwks', performance.now() + 60_000)).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(sent).toBeLessThan(1024 * 1024)
})

it.each(['ES256', 'HS256'] as const)('a token that names no key is verified with each %s key of its issuer', async (alg) => {
  const made = [1, 2, 3].map(() => {
    if (alg === 'HS256') {
      const secret = randomBytes(32)
      return { signer: secret, jwk: { kty: 'oct', alg, k: secret.toString('base64url') } }
    }
    const { privateKey, publicKey } = keyPair('P-256')
    return { signer: privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), alg } }
  })
  const source = localKeys({ keys: made.map(({ jwk }) => jwk) as never })
  for (const { signer } of made) {
    const signed = await new FlattenedSign(Buffer.from('{}')).setProtectedHeader({ alg }).sign(signer)
    const key = await source({ alg }, signed, 0)
    if (key === undefined) throw new Error('no key was found')
    await flattenedVerify(signed, key)
    expect(await source({ alg }, { ...signed, signature: signed.signature.replace(/^.{4}/, 'AAAA') }, 0)).toBeUndefined()
  }
})
