import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { actorKey, holderKey, limitKey } from '../../src/rate-limit/key.js'
import { instance, mint, verdict } from '../latchkey/harness.js'

const limited = (by: 'token' | 'owner' | 'tenant', points: number) =>
  instance({ rateLimit: { limits: [{ name: 'l', by, limiter: new RateLimiterMemory({ points, duration: 3600 }) }], onFailure: 'refuse' } })

describe('the key of a limit', () => {
  it('a limit by owner is separate for each tenant, even for owners with the same ID', async () => {
    const tokens = limited('owner', 5)
    const victim = await mint(tokens, { ownerId: 'bob', tenantId: 't1' })
    for (const other of [{ tenantId: 't2' }, {}, { tenantId: 't1:bob' }]) {
      const { token } = await mint(tokens, { ownerId: 'bob', ...other })
      for (let use = 0; use < 10; use += 1) await tokens.verify(token)
      expect(await verdict(tokens.verify(token))).toBe('rate_limited')
    }
    const crossed = await mint(tokens, { ownerId: 't1:bob' })
    for (let use = 0; use < 10; use += 1) await tokens.verify(crossed.token)
    for (let use = 0; use < 5; use += 1) expect(await verdict(tokens.verify(victim.token))).toBe('ok')
    expect(await verdict(tokens.verify(victim.token))).toBe('rate_limited')
  })

  it('a limit by token carries over through any number of rotations', async () => {
    const tokens = limited('token', 10)
    let { token, record } = await mint(tokens)
    let allowed = 0
    for (let rotation = 0; rotation < 5; rotation += 1) {
      for (let use = 0; use < 4; use += 1) if ((await verdict(tokens.verify(token))) === 'ok') allowed += 1
      const next = await tokens.system.rotate(record.id, { overlap: '1h' })
      expect(next.record.rootId).toBeDefined()
      ;({ token, record } = next)
    }
    expect(allowed).toBe(10)
  })

  it('calls by a token about itself have a separate key for each lineage', () => {
    const limit = { name: 'l' } as Parameters<typeof holderKey>[0]
    expect(holderKey(limit, 'acme_live', 'one')).not.toBe(holderKey(limit, 'acme_live', 'another'))
  })

  it.each(['self', 'actor', '*', '#self', '#actor'])(
    'uses of tokens in a tenant named %j are counted separately from management calls',
    (tenantId) => {
      const limit = { name: 'l', by: 'owner' } as Parameters<typeof limitKey>[0]
      for (const ownerId of ['4kq0txb2lrvn8zcd', '*', 'bob']) {
        const key = limitKey(limit, 'acme_live', { tenantId, ownerId }, 'root')
        expect(key).not.toBe(holderKey(limit, 'acme_live', ownerId))
        expect(key).not.toBe(actorKey(limit, 'acme_live', { id: ownerId, tenants: [tenantId], manages: 'all' }))
      }
    },
  )
})
