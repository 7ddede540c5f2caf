import { type Latchkey, type LatchkeyOptions, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it, onTestFinished } from 'vitest'
import { instance, mint, warm } from '../latchkey/harness.js'
import { syncLimiter } from '../rate-limit/support.js'

type Scope = 'a:read' | 'a:write'

const start = (options: Partial<LatchkeyOptions<Scope>> = {}): Latchkey<Scope> => {
  const tokens = latchkey<Scope>({
    prefix: 'acme_live',
    store: memoryStore(),
    logger: false,
    deadline: '30s',
    scopes: { 'a:read': 'Read', 'a:write': 'Write' },
    ...options,
  })
  onTestFinished(() => tokens.close())
  return tokens
}

const requestOf = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
const statusOf = ({ response }: { readonly response?: Response | undefined }): number => response?.status ?? 200
const quiet = { onWarning: () => undefined }

/** A function whose first call waits for `release`. `isAsked` returns whether it was called. */
function holding<T>(answer: T) {
  let release: ((value: T) => void) | undefined
  let calls = 0
  const ask = (): T | Promise<T> => {
    calls += 1
    if (calls > 1) return answer
    return new Promise<T>((resolve) => {
      release = resolve
    })
  }
  return { ask, isAsked: () => calls > 0, calls: () => calls, release: () => release?.(answer) }
}

/** A request whose first part waits for the callback of its token's owner. */
async function heldByOwner() {
  const owner = holding({ scopes: ['a:read' as const] })
  const tokens = start({ owner: owner.ask })
  const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'], ownerId: 'ada' })
  const request = requestOf(token)
  const first = authenticate(tokens, request)
  await expect.poll(owner.isAsked).toBe(true)
  return { tokens, id: record.id, request, first, release: owner.release }
}

describe('a part of a web request that begins while another part is being decided', () => {
  it.each(['revoke', 'deactivate'] as const)('a part that begins after %s() has resolved is refused', async (verb) => {
    const { tokens, id, request, first, release } = await heldByOwner()
    await tokens.system[verb](id)
    const later = authenticate(tokens, request)
    release()
    await first
    expect(statusOf(await later)).toBe(401)
  })

  it('a part that begins after update() has resolved has the new scopes', async () => {
    const { tokens, id, request, first, release } = await heldByOwner()
    await tokens.system.update(id, { scopes: [] })
    const later = authenticate(tokens, request)
    release()
    await first
    expect((await later).principal?.scopes).toEqual([])
  })

  it('a part that begins after revoke() has resolved is refused while the decision waits for a rate limiter', async () => {
    const limiter = holding({ consumedPoints: 1, remainingPoints: 9, msBeforeNext: 30_000 })
    const limits = [{ name: 'token', by: 'token', limiter: { ...syncLimiter(10), consume: limiter.ask } }] as const
    const tokens = start({ rateLimit: { limits, onFailure: 'refuse' } })
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'] })
    const request = requestOf(token)
    const first = authenticate(tokens, request)
    await expect.poll(limiter.isAsked).toBe(true)
    await tokens.system.revoke(record.id, { waitForNodes: true })
    const later = authenticate(tokens, request)
    limiter.release()
    await first
    expect(statusOf(await later)).toBe(401)
  })

  it('parts that begin one after another take one point of the limit together', async () => {
    const owner = holding({ scopes: ['a:read' as const] })
    const limiter = new RateLimiterMemory({ points: 3, duration: 60 })
    const tokens = start({ owner: owner.ask, rateLimit: { limits: [{ name: 'token', by: 'token', limiter }], onFailure: 'refuse' } })
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'], ownerId: 'ada' })
    const request = requestOf(token)
    const parts = [authenticate(tokens, request, quiet)]
    await expect.poll(owner.isAsked).toBe(true)
    for (let at = 0; at < 4; at += 1) {
      parts.push(authenticate(tokens, request, quiet))
      await Promise.resolve()
    }
    owner.release()
    expect((await Promise.all(parts)).map(statusOf)).toEqual([200, 200, 200, 200, 200])
    expect((await limiter.get(`token:acme_live:${record.id}`))?.consumedPoints).toBe(1)
    await tokens.flush()
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 1, refused: 0 })
  })
})

describe('parts of a web request that run at the same time', () => {
  it('a part that does not pass the address of the client does not share the answer for a part that does', async () => {
    const tokens = start({ owner: async () => ({ scopes: ['a:read'] }) })
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'], ownerId: 'ada', allowedIps: ['192.0.2.1'] })
    const statuses = async (...ips: readonly (string | undefined)[]): Promise<number[]> => {
      const request = requestOf(token)
      return (await Promise.all(ips.map((ip) => authenticate(tokens, request, { ...quiet, ip })))).map(statusOf)
    }
    expect(await statuses('192.0.2.1', undefined)).toEqual([200, 403])
    expect(await statuses('192.0.2.9', '192.0.2.1')).toEqual([403, 200])
    expect(await statuses('192.0.2.1', '192.0.2.1')).toEqual([200, 200])
  })

  it.each([true, false])(
    'a part that passes `require` is accepted although a part with another credential is refused (cached token: %s)',
    async (isCached) => {
      const tokens = instance()
      const { token } = await mint(tokens)
      if (isCached) await warm(tokens, token)
      const codes: string[] = []
      const options = { require: requireScopes('stock:read'), onWarning: ({ code }: { readonly code: string }) => void codes.push(code) }
      const request = requestOf(token)
      const parts = await Promise.all([
        authenticate(tokens, request, options),
        authenticate(tokens, request, { ...options, credential: { header: 'x-api-key' } }),
      ])
      expect(parts.map(statusOf)).toEqual([200, 401])
      expect(codes).not.toContain('LATCHKEY_W002')
    },
  )

  it('a part that begins while another part waits for a store that hangs does not wait for it again', async () => {
    let isHanging = false
    const inner = memoryStore()
    let lookups = 0
    const store = {
      ...inner,
      find: (ids: readonly string[]) => {
        lookups += 1
        return isHanging ? new Promise<never>(() => undefined) : inner.find(ids)
      },
    }
    const tokens = start({ store, deadline: '1s', cache: false })
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'] })
    isHanging = true
    lookups = 0
    const request = requestOf(token)
    const first = authenticate(tokens, request, quiet)
    await expect.poll(() => lookups).toBe(1)
    const later = authenticate(tokens, request, quiet)
    expect((await Promise.all([first, later])).map(statusOf)).toEqual([503, 503])
    expect(lookups).toBe(1)
  })

  it('a check by itself finds no admission once a later part of the request, which ran at the same time as a session, was refused', async () => {
    const tokens = start()
    const request = new Request('https://api.example/')
    const check = requireScopes('a:read')
    const session = () => ({ id: 'ada', scopes: ['a:read'] })
    const parts = [authenticate(tokens, request, { ...quiet, session, require: check }), authenticate(tokens, request, quiet)]
    expect((await Promise.all(parts)).map(statusOf)).toEqual([200, 401])
    expect((await check(request))?.status).toBe(500)
  })
})
