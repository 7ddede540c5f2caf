import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal, until, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const NO_TIMES = [Number.NaN, Number.NEGATIVE_INFINITY, 1e300, undefined] as const

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`a faulty clock on ${kind}`, () => {
    it.each(NO_TIMES)('rejects tokens and changes while the clock returns %s, and recovers afterward', async (none) => {
      const open = await place()
      let broken = false
      const tokens = instance({ store: open(), clock: () => (broken ? (none as number) : Date.now()), onError: () => undefined })
      const { token, record } = await mint(tokens, { expiresIn: '1h' })
      const before = Date.now()
      expect(await verdict(tokens.verify(token))).toBe('ok')

      broken = true
      expect(await verdict(tokens.verify(token))).toBe('token_expired')
      expect(await refusal(tokens.system.update(record.id, { name: 'y' }))).toBe('store_unavailable undefined')
      expect(await refusal(tokens.system.revokeAll({ all: true }))).toBe('store_unavailable undefined')
      expect(await refusal(tokens.as({ id: 'ann', tenants: ['t1'], manages: 'all' }).revoke(record.id))).toMatch(/^not_found/)
      await tokens.flush()

      broken = false
      expect(await verdict(tokens.verify(token))).toBe('ok')
      await tokens.flush()
      expect(await tokens.system.get(record.id)).toMatchObject({ name: 'ERP', version: 1, status: 'active' })
      expect(await tokens.system.usage(record.id)).toMatchObject({ total: 2, refused: 1 })
      const { items } = await tokens.system.events()
      expect(items.map(({ action }) => action).sort()).toEqual(['management.refused', 'token.created', 'token.refused'])
      for (const { at } of items) expect(Math.abs(at.getTime() - before)).toBeLessThan(60_000)
    })

    it('works with a clock that returns fractions of a millisecond', async () => {
      const open = await place()
      const tokens = instance({ store: open(), clock: () => performance.timeOrigin + performance.now() })
      const { token, record } = await mint(tokens, { expiresIn: '1h' })
      expect(await verdict(tokens.verify(token))).toBe('ok')
      await tokens.system.rotate(record.id, { overlap: '1m' })
      await tokens.flush()
      expect(await tokens.system.usage(record.id)).toMatchObject({ total: 1 })
      expect(await tokens.system.revokeAll({ all: true })).toEqual({ count: 2 })
    })
  })
}

it('keeps refusals from before the clock first returns a valid time, and records them once it does', async () => {
  let broken = true
  const store = memoryStore()
  const { token, record } = await mint(instance({ store }))
  const tokens = instance({ store, clock: () => (broken ? Number.NaN : Date.now()) })
  for (let times = 0; times < 3; times += 1) expect(await verdict(tokens.verify(token))).toBe('token_expired')
  await tokens.flush()
  broken = false
  await until(async () => {
    await tokens.flush()
    return (await tokens.system.events({ action: 'token.refused' })).items.length > 0
  })
  expect((await tokens.system.events({ action: 'token.refused' })).items).toMatchObject([{ count: 3 }])
  expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
})
