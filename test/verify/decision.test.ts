import type { Latchkey, LatchkeyOptions, Principal } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf, internalsOf } from '../../src/instance.js'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { instance, mint, pause, principalOf, type Scope, until, verdict, warm } from '../latchkey/harness.js'
import { perToken, syncLimiter } from '../rate-limit/support.js'

const INSIDE = '10.0.0.1'
const OUTSIDE = '192.0.2.1'

/** Changes one digit of the secret and recomputes the checksum, as a forger who knows the ID would. */
function forged(token: string): string {
  const body = token.slice(0, -6)
  const other = body.endsWith('0') ? '1' : '0'
  const forgery = body.slice(0, -1) + other
  return forgery + checksum(defaultEngine.sha256(forgery))
}

/** An instance that counts record reads. */
function counted(options: Partial<LatchkeyOptions<Scope>> = {}) {
  let finds = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  return { tokens: instance({ store, ...options }), finds: () => finds }
}

const refusedOf = async (tokens: Latchkey<Scope>, id: string): Promise<readonly (readonly [unknown, unknown])[]> => {
  await tokens.flush()
  const { items } = await tokens.system.events({ tokenId: id, action: 'token.refused' })
  return items.map(({ code, ip }) => [code, ip] as const)
}

describe('malformed tokens', () => {
  it.each([undefined, null, 1, '', 'junk', {}])('a malformed token is rejected without a store read: %j', async (token) => {
    const { tokens, finds } = counted()
    expect(await verdict(tokens.verify(token as string))).toBe('token_malformed')
    expect(finds()).toBe(0)
  })

  it('a token with a changed character in its prefix, separators or checksum is malformed', async () => {
    const { tokens, finds } = counted()
    const { token } = await mint(tokens)
    const [prefix, id] = [10, 26]
    for (const at of [0, prefix - 1, prefix, id + 1]) {
      expect(await verdict(tokens.verify(`${token.slice(0, at)}-${token.slice(at + 1)}`))).toBe('token_malformed')
    }
    for (let at = token.length - 6; at < token.length; at += 1) {
      const other = token[at] === 'a' ? 'b' : 'a'
      expect(await verdict(tokens.verify(token.slice(0, at) + other + token.slice(at + 1)))).toBe('token_malformed')
    }
    expect(await verdict(tokens.verify(`${token}0`))).toBe('token_malformed')
    expect(finds()).toBe(0)
  })
})

describe('a well-formed token that was never issued', () => {
  it('an unissued token is read from the store once and then refused from the cache', async () => {
    const { tokens, finds } = counted()
    const { token } = await mint(tokens)
    await warm(tokens, token)
    const before = finds()
    const stranger = forged(token.replace(/_[0-9A-Za-z]{16}_/, '_zzzzzzzzzzzzzzzz_'))
    expect(await verdict(tokens.verify(stranger))).toBe('token_unknown')
    expect(deciderOf(tokens).decide(stranger)).toEqual({ ok: false, code: 'token_unknown' })
    expect(finds() - before).toBe(1)
  })
})

describe('a forged secret with a valid checksum', () => {
  it.each(['read', 'cached'])('a forged secret is rejected whether the token is active or revoked (record %s)', async (how) => {
    const { tokens } = counted(how === 'read' ? { cache: false } : {})
    const good = await mint(tokens, { allowedIps: [INSIDE] })
    if (how === 'cached') await warm(tokens, good.token)
    expect(await verdict(tokens.verify(forged(good.token), { ip: INSIDE }))).toBe('secret_mismatch')
    expect(await verdict(tokens.verify(forged(good.token), { ip: OUTSIDE }))).toBe('secret_mismatch')
    expect(await tokens.introspect(forged(good.token))).toEqual({ active: false })
    await tokens.system.revoke(good.record.id)
    expect(await verdict(tokens.verify(forged(good.token), { ip: INSIDE }))).toBe('secret_mismatch')
    expect(await refusedOf(tokens, good.record.id)).toContainEqual(['secret_mismatch', INSIDE])
  })

  it('a forged secret for a rotated token is not reported as reuse of the old token', async () => {
    const { tokens } = counted()
    const { token, record } = await mint(tokens)
    await tokens.system.rotate(record.id)
    expect(await verdict(tokens.verify(forged(token)))).toBe('secret_mismatch')
    await tokens.flush()
    expect((await tokens.system.events({ action: 'token.reused' })).items).toEqual([])
  })
})

describe('the order of the decision', () => {
  // At first everything is wrong with the token. Each step fixes what was refused before.
  it('refusals are checked in the order revoked, inactive, not before, expired, address, owner, rate', async () => {
    let now = Date.now()
    const start = now
    let owner: 'gone' | 'here' = 'gone'
    let asked = 0
    const limiter = syncLimiter(1)
    const tokens = instance({
      clock: () => now,
      owner: () => {
        asked += 1
        return owner === 'gone' ? null : { scopes: ['stock:read'] }
      },
      rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' },
    })
    const terms = { ownerId: 'u1', allowedIps: [INSIDE], notBefore: new Date(start + 1000), expiresAt: new Date(start + 2000) }
    const { token, record } = await mint(tokens, terms)
    const at = async (when: number, ip: string): Promise<string> => {
      now = when
      return verdict(tokens.verify(token, { ip }))
    }
    await tokens.system.deactivate(record.id)
    expect(await at(start, OUTSIDE)).toBe('token_inactive')
    expect(await at(start + 2000, OUTSIDE)).toBe('token_inactive')
    now = start
    await tokens.system.activate(record.id)
    expect(await at(start + 999, OUTSIDE)).toBe('token_not_yet_valid')
    expect(await at(start + 2000, OUTSIDE)).toBe('token_expired')
    expect(await at(start + 1999, OUTSIDE)).toBe('ip_denied')
    now = start + 1000
    expect(await verdict(tokens.verify(token))).toBe('ip_denied')
    expect([asked, limiter.counts.size]).toEqual([0, 0])
    expect(await at(start + 1000, INSIDE)).toBe('owner_denied')
    expect(limiter.counts.size).toBe(0)
    owner = 'here'
    expect(await at(start + 1000, INSIDE)).toBe('ok')
    expect(await at(start + 1000, INSIDE)).toBe('rate_limited')
    await tokens.system.revoke(record.id)
    const before = asked
    expect(await at(start, OUTSIDE)).toBe('token_revoked')
    expect(await at(start + 2000, INSIDE)).toBe('token_revoked')
    expect(asked).toBe(before)
  })

  it('a refusal is recorded in the audit log with its address, and in usage with its endpoint', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { allowedIps: [INSIDE] })
    await tokens.verify(token, { ip: `::ffff:${OUTSIDE}`, method: 'GET', endpoint: '/stock' })
    expect(await refusedOf(tokens, record.id)).toEqual([['ip_denied', OUTSIDE]])
    const usage = await tokens.system.usage(record.id)
    expect([usage.total, usage.refused]).toEqual([0, 1])
    expect(JSON.stringify(usage)).toContain('GET /stock')
  })

  it.each([
    ['a symbol as its endpoint', { method: 'GET', endpoint: Symbol('x') }],
    ['an object without a prototype as its endpoint', { method: 'GET', endpoint: Object.create(null) }],
    ['a symbol as its method', { method: Symbol('x'), endpoint: '/stock' }],
  ])('a request with %s is accepted, and its use is counted', async (_, request) => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    expect(await verdict(tokens.verify(token, request as never))).toBe('ok')
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 1 })
  })
})

describe('peppers', () => {
  const [old, young] = ['an old pepper of at least 32 characters', 'a young pepper of at least 32 characters']

  it('a token is verified with any listed pepper, and not with a pepper that is no longer listed', async () => {
    const store = memoryStore()
    const { token } = await mint(instance({ store, pepper: old }))
    expect(await verdict(instance({ store, pepper: [young, old] }).verify(token))).toBe('ok')
    expect(await verdict(instance({ store, pepper: young }).verify(token))).toBe('token_malformed')
  })
})

describe('a cached token', () => {
  it('a cached token is decided synchronously without a read, and its use is counted', async () => {
    const { tokens, finds } = counted()
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    const before = finds()
    expect(deciderOf(tokens).decide(token, { ip: INSIDE })).toMatchObject({ ok: true })
    expect(finds()).toBe(before)
    expect(await verdict(tokens.verify(token, { ip: INSIDE, method: 'GET', endpoint: '/stock' }))).toBe('ok')
    const usage = await tokens.system.usage(record.id)
    expect([usage.total, usage.refused]).toEqual([1, 0])
    expect(await tokens.system.get(record.id)).toMatchObject({ lastUsedIp: INSIDE })
  })
})

describe('owners', () => {
  const both = ['stock:read', 'stock:write'] as const

  it.each(['immediately', 'later'])(
    'an owner callback that answers %s narrows scopes and resources, separately for each tenant',
    async (when) => {
      const answers = new Map<string | undefined, { scopes: readonly string[]; resources?: Record<string, readonly string[]> }>([
        ['t1', { scopes: ['stock:read', 'billing:read'], resources: { warehouse: ['w1', 'w3'], zone: ['north'] } }],
      ])
      const owner = ({ tenantId }: { readonly tenantId?: string }) => {
        const answer = answers.get(tenantId) ?? null
        return when === 'later' ? pause(1).then(() => answer) : answer
      }
      const tokens = instance({ owner })
      const terms = { ownerId: 'u1', scopes: [...both], resources: { warehouse: ['w1', 'w2'], line: ['a'] } }
      const [here, there, nowhere] = await Promise.all(
        ['t1', 't2', undefined].map((tenantId) => mint(tokens, { ...terms, ...(tenantId && { tenantId }) })),
      )
      const principal: Principal = await principalOf(tokens.verify(here?.token ?? ''))
      expect(principal.scopes).toEqual(['stock:read'])
      expect(principal.resources).toEqual({ warehouse: ['w1'], line: ['a'], zone: ['north'] })
      expect(principal.allows('stock:write')).toBe(false)
      expect(principal.allows('billing:read')).toBe(false)
      expect(principal.allows('stock:read', { warehouse: 'w2' })).toBe(false)
      expect(principal.allows('stock:read', { zone: 'south' })).toBe(false)
      expect(await verdict(tokens.verify(there?.token ?? ''))).toBe('owner_denied')
      expect(await verdict(tokens.verify(nowhere?.token ?? ''))).toBe('owner_denied')
      expect(await internalsOf(tokens).standing(there?.record.id ?? '')).toEqual({ code: 'owner_denied' })
    },
  )

  it('looking up the missing parents of signed tokens does not throttle callers without an address', async () => {
    const tokens = instance({ cache: false })
    const { token } = await mint(tokens)
    const { standing } = internalsOf(tokens)
    for (let batch = 0; batch < 12; batch += 1) {
      await Promise.all(Array.from({ length: 2000 }, (_, at) => standing(String(at).padStart(16, '0'), '192.0.2.1')))
    }
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it("an inheriting token gets all of its owner's permissions, and any other token gets no more than its own", async () => {
    const tokens = instance({ owner: () => ({ scopes: ['stock:read', 'billing:read'] }) })
    const heir = await tokens.system.create({ name: 'heir', ownerId: 'u1', inherit: true })
    expect((await principalOf(tokens.verify(heir.token ?? ''))).scopes).toEqual(['stock:read', 'billing:read'])
    const own = await mint(tokens, { ownerId: 'u1' })
    expect((await principalOf(tokens.verify(own.token))).scopes).toEqual(['stock:read'])
  })

  it('verifications of a token whose owner is gone are rate_limited after about a hundred owner lookups', async () => {
    let asked = 0
    const tokens = instance({
      owner: () => {
        asked += 1
        return null
      },
    })
    const { token } = await mint(tokens, { ownerId: 'u1' })
    const verdicts = await Promise.all(Array.from({ length: 150 }, () => verdict(tokens.verify(token))))
    expect(verdicts.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 'owner_denied'))
    expect(verdicts.at(-1)).toBe('rate_limited')
    expect(asked).toBeLessThan(150)
    expect(await tokens.verify(token)).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 1 })
  })
})

describe('limits', () => {
  it('a limit counts a request that passes two guards once, but does not reuse the admission of a different token', async () => {
    const limiter = syncLimiter(2)
    const tokens = instance({ rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' } })
    const [one, two] = [await mint(tokens), await mint(tokens)]
    const decide = deciderOf(tokens).decide
    const admitted = await principalOf(decide(one.token))
    await principalOf(decide(one.token, { admitted }))
    expect([...limiter.counts.values()]).toEqual([1])
    await principalOf(decide(two.token, { admitted }))
    expect([...limiter.counts.values()]).toEqual([1, 1])
  })

  it('a refusal by a rate limit says to retry in at least one second', async () => {
    const tokens = instance({ rateLimit: { limits: [perToken(1)], onFailure: 'refuse' } })
    const { token, record } = await mint(tokens)
    expect((await tokens.verify(token)).rates).toHaveLength(1)
    const refused = await tokens.verify(token)
    expect(refused).toMatchObject({ ok: false, code: 'rate_limited', rates: [{ name: 'token', remaining: 0 }] })
    expect(refused.ok || refused.retryAfterSeconds).toBeGreaterThanOrEqual(1)
    const now = { ...syncLimiter(1), consume: () => Promise.reject({ consumedPoints: 2, remainingPoints: 0, msBeforeNext: 0 }) }
    const over = instance({ rateLimit: { limits: [{ name: 'token', by: 'token', limiter: now }], onFailure: 'refuse' } })
    expect(await over.verify((await mint(over)).token)).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 1 })
    await until(async () => (await tokens.system.usage(record.id)).refused === 1)
  })
})
