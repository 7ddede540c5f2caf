import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { instance, mint, principalOf, warm } from '../latchkey/harness.js'

describe('principals', () => {
  it('a principal describes only the identity that the token represents', async () => {
    const tokens = instance()
    const terms = { name: 'ERP', tenantId: 't1', ownerId: 'u1', resources: { w: ['1'] }, metadata: { system: { name: 'sap' } } }
    const { token, record } = await mint(tokens, { ...terms, allowedIps: ['10.0.0.1'], expiresIn: 60, rotateEvery: '1h' })
    const principal = await principalOf(tokens.verify(token, { ip: '10.0.0.1' }))
    expect(JSON.parse(JSON.stringify(principal))).toEqual({ kind: 'token', tokenId: record.id, scopes: ['stock:read'], ...terms })
    const bare = await principalOf(tokens.verify((await mint(tokens)).token))
    expect(Object.keys(bare).sort()).toEqual(['kind', 'name', 'scopes', 'tokenId'])
  })

  it('a handler cannot widen the resources that a token shares with its owner', async () => {
    const owner = () => ({ scopes: ['stock:read'], resources: { w: ['1', '3'] } })
    const tokens = instance({ owner })
    const { token } = await mint(tokens, { ownerId: 'u1', resources: { w: ['1', '2'] } })
    const principal = await principalOf(tokens.verify(token))
    expect(principal.resources).toEqual({ w: ['1'] })
    expect(() => Reflect.apply(Array.prototype.push, principal.resources?.w, ['2'])).toThrow(TypeError)
    expect(Reflect.set(Object(principal.resources), 'w', ['2'])).toBe(false)
    expect(principal.allows('stock:read', { w: '2' })).toBe(false)
  })

  it('allows() follows the token, whatever a handler writes into the principal', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { resources: { w: ['1'] }, metadata: { plan: 'free', nested: { deep: [1] } } })
    await warm(tokens, token)
    const principal = await principalOf(tokens.verify(token))
    Reflect.set(principal, 'scopes', ['billing:read'])
    Reflect.set(principal, 'resources', undefined)
    Reflect.set(principal, 'tenantId', 't9')
    expect(principal.allows('billing:read')).toBe(false)
    expect(principal.allows('stock:read', { w: '1' })).toBe(true)
    expect(principal.allows('stock:read', { w: '2' })).toBe(false)
    expect(principal.allows('stock:read', { w: ['1', '2'] })).toBe(false)

    const next = await principalOf(tokens.verify(token))
    const push = (list: unknown) => Reflect.apply(Array.prototype.push, list, ['billing:read'])
    expect(() => push(next.scopes)).toThrow(TypeError)
    expect(() => push(next.resources?.w)).toThrow(TypeError)
    expect(Reflect.set(next.metadata ?? {}, 'plan', 'gold')).toBe(false)
    expect(Reflect.set(Object(next.metadata?.nested), 'deep', 2)).toBe(false)
    expect(await principalOf(tokens.verify(token))).toMatchObject({
      scopes: ['stock:read'],
      resources: { w: ['1'] },
      metadata: { plan: 'free', nested: { deep: [1] } },
    })
  })

  it('a use is not counted for a principal that the instance did not create', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const principal = await principalOf(deciderOf(tokens).decide(token))
    deciderOf(tokens).countUse({ ...principal, allows: () => true, signal: principal.signal }, {})
    deciderOf(tokens).countUse(null as never, {})
    expect((await tokens.system.usage(record.id)).total).toBe(0)
    deciderOf(tokens).countUse(principal, {})
    expect((await tokens.system.usage(record.id)).total).toBe(1)
  })
})
