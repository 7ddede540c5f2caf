import type { Actor } from 'latchkey'
import { revocation } from 'latchkey/oauth'
import { expect, it } from 'vitest'
import { instance, mint, refusal } from '../latchkey/harness.js'

it.each(['*', 'own', 'all', 'tokens', 'system', 'undefined', 'null', '__proto__', 'constructor'])(
  'an administrator of a tenant named %j reaches that tenant and nothing else',
  async (tenantId) => {
    const tokens = instance()
    const actor: Actor = { id: 'ada', tenants: [tenantId], manages: 'all' }
    const ada = tokens.as(actor)
    const [other, none] = [await mint(tokens, { tenantId: 'other' }), await mint(tokens)]
    const own = await ada.create({ name: 'x', tenantId, scopes: ['stock:read'] })
    expect((await ada.list({})).items.map(({ id }) => id)).toEqual([own.record.id])
    expect(await refusal(ada.revoke(other.record.id))).toMatch(/^not_found/)
    expect(await refusal(ada.create({ name: 'x', scopes: ['stock:read'] }))).toBe('grant_denied tenantId')
    expect(await refusal(ada.ownerChanged({ ownerId: 'bob' }))).toBe('grant_denied tenantId')
    await tokens.flush()
    for (const { tenantId: seen } of (await ada.events({})).items) expect(seen).toBe(tenantId)
    const revoke = revocation(tokens, { client: () => ({ id: 'crm', tenants: [tenantId] }) })
    for (const { token } of [other, none]) {
      const request = new Request('http://host/', { method: 'POST', body: new URLSearchParams({ token }) })
      expect((await revoke(request)).status).toBe(400)
    }
    expect(await ada.revokeAll({ all: true })).toEqual({ count: 1 })
    expect((await tokens.system.get(own.record.id))?.status).toBe('revoked')
    for (const { record } of [other, none]) expect((await tokens.system.get(record.id))?.status).toBe('active')
  },
)
