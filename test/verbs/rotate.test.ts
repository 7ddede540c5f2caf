import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, principalOf, refusal, verdict } from '../latchkey/harness.js'

/** A memory store whose calls take a moment, which makes callers overlap. */
function unhurried() {
  return interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method === 'find' || method === 'commit') await new Promise((resolve) => setImmediate(resolve))
    return proceed()
  })
}

describe('rotate', () => {
  for (const overlapSeconds of [0, 60]) {
    it(`creates exactly one successor when a hundred rotations race (overlap ${overlapSeconds})`, async () => {
      const tokens = instance({ store: unhurried() })
      const { record } = await mint(tokens)
      const answers = await Promise.allSettled(
        Array.from({ length: 100 }, () => tokens.system.rotate(record.id, { overlap: overlapSeconds })),
      )
      const made = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
      const codes = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []))
      expect(made).toHaveLength(1)
      expect(codes).toEqual(Array.from({ length: 99 }, () => 'conflict'))
      const all = (await tokens.system.list()).items
      expect(all).toHaveLength(2)
      expect((await tokens.system.get(record.id))?.replacedById).toBe(made[0]?.record.id)
      expect(made[0]?.record.replacesId).toBe(record.id)
      expect((await tokens.system.events({ action: 'token.rotated' })).items).toHaveLength(1)
    })
  }

  it('rotation without an overlap revokes the old token immediately, and records why', async () => {
    const tokens = instance()
    const old = await mint(tokens)
    const next = await tokens.system.rotate(old.record.id)
    expect(await verdict(tokens.verify(old.token))).toBe('token_revoked')
    expect(await verdict(tokens.verify(next.token))).toBe('ok')
    expect(await tokens.system.get(old.record.id)).toMatchObject({ status: 'revoked', revokedCode: 'rotated', revokedBy: 'system' })
  })

  it('keeps both tokens of a rotation alive during the overlap, and only the new token after it', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const old = await mint(tokens)
    const next = await tokens.system.rotate(old.record.id, { overlap: 60 })
    now += 59_999
    expect(await verdict(tokens.verify(old.token))).toBe('ok')
    expect(await verdict(tokens.verify(next.token))).toBe('ok')
    now += 1
    expect(await verdict(tokens.verify(old.token))).toBe('token_expired')
    expect(await verdict(tokens.verify(next.token))).toBe('ok')
  })

  it('never lengthens the life of a rotated token', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { expiresIn: 30 })
    const next = await tokens.system.rotate(record.id, { overlap: 3600 })
    const old = await tokens.system.get(record.id)
    expect(old?.expiresAt).toEqual(record.expiresAt)
    expect(next.record.expiresAt).toEqual(record.expiresAt)
    const later = new Date((record.expiresAt?.getTime() ?? 0) + 1)
    expect(await refusal(tokens.system.update(record.id, { expiresAt: later }))).toBe('invalid_input expiresAt')
    expect(await refusal(tokens.system.update(record.id, { expiresAt: null }))).toBe('invalid_input expiresAt')
    expect((await tokens.system.get(record.id))?.expiresAt).toEqual(record.expiresAt)
  })

  it('copies every setting of a token to its successor, and nothing else', async () => {
    const tokens = instance()
    const terms = {
      name: 'ERP',
      description: 'nightly',
      tenantId: 't1',
      ownerId: 'u1',
      scopes: ['stock:read', 'stock:write'],
      resources: { warehouse: ['w1'] },
      allowedIps: ['10.0.0.0/8'],
      rotateEvery: 3600,
      metadata: { system: 'sap' },
      notBefore: Date.now() - 1000,
      expiresAt: Date.now() + 1_000_000,
    } as const
    const { record } = await tokens.system.create(terms)
    const next = await tokens.system.rotate(record.id, { overlap: 5 })
    const same = ({ id, hint, version, createdAt, updatedAt, rotationDueAt, replacesId, replacedById, rootId, ...rest }: typeof record) =>
      rest
    expect(same(next.record)).toEqual(same(record))
    expect(next.record).toMatchObject({ version: 1, replacesId: record.id, rootId: record.id })
    expect(next.record.rotationDueAt?.getTime()).toBe(next.record.createdAt.getTime() + 3_600_000)
    expect((await tokens.system.get(record.id))?.rotationDueAt).toBeUndefined()
    expect((await tokens.system.get(record.id))?.rotateEverySeconds).toBe(3600)
    const principal = await principalOf(tokens.verify(next.token, { ip: '10.1.2.3' }))
    expect(principal.allows('stock:write', { warehouse: 'w1' })).toBe(true)
    expect(principal.allows('stock:write', { warehouse: 'w2' })).toBe(false)
    expect(principal.allows('billing:read')).toBe(false)
  })

  it('refuses to rotate a revoked, inactive or expired token', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const revoked = await mint(tokens)
    await tokens.system.revoke(revoked.record.id)
    const inactive = await mint(tokens)
    await tokens.system.deactivate(inactive.record.id)
    const expired = await mint(tokens, { expiresIn: 1 })
    now += 1000
    for (const { record } of [revoked, inactive, expired]) {
      expect(await refusal(tokens.system.rotate(record.id))).toMatch(/^conflict/)
      expect((await tokens.system.get(record.id))?.replacedById).toBeUndefined()
    }
    expect((await tokens.system.list()).items).toHaveLength(3)
    expect(await refusal(tokens.system.rotate('A'.repeat(16)))).toMatch(/^not_found/)
  })

  it('leaves no token valid that existed when a concurrent revokeAll was acknowledged', async () => {
    for (let round = 0; round < 20; round += 1) {
      const tokens = instance({ store: unhurried() })
      const { token, record } = await mint(tokens, { tenantId: 't1' })
      const [rotated, all] = await Promise.allSettled([
        tokens.system.rotate(record.id, { overlap: 60 }),
        (async () => {
          for (let turn = 0; turn < round % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
          return await tokens.system.revokeAll({ tenantId: 't1' })
        })(),
      ])
      expect(all.status).toBe('fulfilled')
      expect(await verdict(tokens.verify(token))).toBe('token_revoked')
      // A successor was either made before the revocation and ended by it, or never made: a later rotation is refused.
      if (rotated.status === 'fulfilled') expect(await verdict(tokens.verify(rotated.value.token))).toBe('token_revoked')
    }
  })
})
