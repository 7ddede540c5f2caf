import Koa from 'koa'
import { authenticate as onKoa } from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { testLatchkey } from 'latchkey/testing'
import { authenticate, requireScopes, type ScopeChecker } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, SCOPES } from '../latchkey/harness.js'
import { listen } from '../support/http/listen.js'

const bearer = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
const isOpen = (tokens: ReturnType<typeof instance>): boolean | undefined => deciderOf(tokens).openUses?.pending

describe('open uses', () => {
  it('close() counts the use of a request whose check is still under way, once and with its endpoint', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const { token, record } = await mint(tokens, { resources: { warehouse: ['w1'] } })
    let find: (value: string) => void = () => undefined
    let asked: () => void = () => undefined
    const [warehouse, isAsked] = [new Promise<string>((resolve) => (find = resolve)), new Promise<void>((resolve) => (asked = resolve))]
    const require = requireScopes('stock:read', {
      warehouse: () => {
        asked()
        return warehouse
      },
    })
    const call = authenticate(tokens, bearer(token), { require, endpoint: '/stock' })
    await isAsked
    await tokens.close()
    find('w1')
    expect((await call).principal?.tokenId).toBe(record.id)
    const usage = await instance({ store }).system.usage(record.id)
    expect(usage).toMatchObject({ total: 1, refused: 0 })
    expect(JSON.stringify(usage)).toContain('GET /stock')
    expect(isOpen(tokens)).toBe(false)
  })

  const failing: ScopeChecker = async () => {
    throw new Error('broken')
  }
  it.each<[string, Parameters<typeof authenticate>[2], number]>([
    ['is accepted', {}, 1],
    ['passes its check', { require: requireScopes('stock:read') }, 1],
    ['is refused by its check', { require: requireScopes('stock:write') }, 0],
    ['has a check that cannot look up its resources', { require: requireScopes('stock:read', { warehouse: failing as never }) }, 0],
    ['has a check that throws', { require: failing }, 0],
    ['has an endpoint that is no text', { endpoint: Symbol('endpoint') as never }, 0],
  ])('the use of a request that %s is not left open', async (_how, options = {}, total) => {
    const tokens = instance()
    const { token, record } = await mint(tokens, { resources: { warehouse: ['w1'] } })
    const request = bearer(token)
    await authenticate(tokens, request, options).catch(() => undefined)
    expect(isOpen(tokens)).toBe(false)
    await authenticate(tokens, request, options).catch(() => undefined)
    expect(isOpen(tokens)).toBe(false)
    await tokens.flush()
    const usage = await tokens.system.usage(record.id)
    expect(usage.total).toBe(total)
  })

  it('a request that a second guard refuses leaves no use open', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const request = bearer(token)
    await Promise.all([authenticate(tokens, request), authenticate(instance(), request)])
    await authenticate(instance(), request)
    expect(isOpen(tokens)).toBe(false)
    await tokens.flush()
    expect((await tokens.system.usage(record.id)).total).toBe(1)
  })

  it('a request that Koa cannot pass on leaves no use open', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const app = new Koa()
    app.silent = true
    app.use((ctx, next) => {
      Object.freeze(ctx.state)
      return next()
    })
    app.use(onKoa(tokens))
    const origin = await listen(app.callback())
    expect((await fetch(origin, { headers: { authorization: `Bearer ${token}` } })).status).toBe(500)
    expect(isOpen(tokens)).toBe(false)
    await tokens.flush()
    expect((await tokens.system.usage(record.id)).total).toBe(0)
  })

  it('attachPrincipal() of latchkey/testing leaves no use open', async () => {
    const { tokens, attachPrincipal } = testLatchkey({ scopes: SCOPES })
    await attachPrincipal({ headers: {} })
    expect(deciderOf(tokens).openUses?.pending).toBe(false)
    await tokens.close()
  })
})
