import type { CreateInput } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { codeOf, instance, mint, refusal, verdict } from '../latchkey/harness.js'

describe('a successor', () => {
  it('applies the current expiry options to the successor of a token without an expiry', async () => {
    const store = memoryStore()
    const now = Date.now()
    const before = instance({ store, clock: () => now })
    const [capped, required, defaulted] = [await mint(before), await mint(before), await mint(before)]
    const inSeconds = (expiresAt: Date | undefined) => ((expiresAt?.getTime() ?? Number.NaN) - now) / 1000
    const max = instance({ store, clock: () => now, expiry: { max: '1d' } })
    expect(inSeconds((await max.system.rotate(capped.record.id)).record.expiresAt)).toBe(86_400)
    const strict = instance({ store, clock: () => now, expiry: { required: true } })
    expect(await refusal(strict.system.rotate(required.record.id))).toMatch(/^conflict/)
    const kind = instance({ store, clock: () => now, expiry: { required: true, default: '1h' } })
    expect(inSeconds((await kind.system.rotate(defaulted.record.id)).record.expiresAt)).toBe(3600)
  })

  it('never creates a successor with a longer life than a new token may have', async () => {
    const store = memoryStore()
    const now = Date.now()
    const { record } = await mint(instance({ store, clock: () => now }), { expiresIn: '90d' })
    const { record: next } = await instance({ store, clock: () => now, expiry: { max: '30d' } }).system.rotate(record.id)
    expect((next.expiresAt?.getTime() ?? 0) - now).toBe(30 * 86_400_000)
  })
})

describe('an ID', () => {
  it('never reuses an ID, even if its token was pruned and the idempotency key is sent again', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const input = { name: 'ERP', scopes: ['stock:read'], idempotencyKey: 'k1' } as const
    const { record } = await tokens.system.create(input)
    await tokens.system.revoke(record.id)
    now += 1000
    expect(await tokens.system.prune({ before: now })).toEqual({ count: 1 })
    const again = await Promise.allSettled([tokens.system.create(input), tokens.system.create(input)])
    for (const answer of again) expect(answer.status === 'rejected' && codeOf(answer.reason)).toBe('idempotency_key_reused')
    expect(await tokens.system.get(record.id)).toBeUndefined()
  })
})

describe('a clock without a valid time', () => {
  it.each([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, -1])(
    'accepts no token while the clock returns %s',
    async (broken) => {
      let now = Date.now()
      const tokens = instance({ clock: () => now })
      const ending = await mint(tokens, { expiresIn: 60 })
      const endless = await mint(tokens)
      now = broken
      expect(await verdict(tokens.verify(ending.token))).toBe('token_expired')
      expect(await verdict(tokens.verify(endless.token))).toBe('token_expired')
    },
  )
})

describe('text that people see', () => {
  const hidden = ['a\u202eb', 'a\u200bb', '\ufeffa', 'a\u2066b', 'a\u200fb', 'pay\u200dpal', 'soft\u00adhyphen', 'a\u0085b', 'a\u2028b']
  it.each(hidden)('refuses text with hidden or direction-changing characters (%j)', async (text) => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const fields: readonly (keyof CreateInput)[] = ['name', 'description', 'tenantId', 'ownerId']
    for (const field of fields) expect(await refusal(mint(tokens, { [field]: text }))).toBe(`invalid_input ${field}`)
    expect(await refusal(tokens.system.update(record.id, { name: text }))).toBe('invalid_input name')
    expect(await refusal(tokens.system.revoke(record.id, { reason: text }))).toBe('invalid_input reason')
  })

  it.each(['Lager 東', 'نظام المخزون', 'می‌خواهم', '👩‍👩‍👧 team', 'हिन्दी क्‍ष'])(
    'a name keeps joiner characters that its script requires (%s)',
    async (name) => {
      expect((await mint(instance(), { name })).record.name).toBe(name)
    },
  )

  it('refuses text that contains a token, whole or cut short, without repeating it', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const secret = token.slice(-49)
    const calls = [
      () => mint(tokens, { name: token }),
      () => mint(tokens, { description: `it is ${token}` }),
      () => mint(tokens, { metadata: { note: token.slice(0, -10) } }),
      () => mint(tokens, { metadata: { [token]: true } }),
      () => mint(tokens, { metadata: { list: [{ deep: token }] } }),
      () => mint(tokens, { resources: { warehouse: [token] } }),
      () => mint(tokens, { tenantId: token }),
      () => tokens.system.revoke(record.id, { reason: `leaked: ${token}` }),
      () => tokens.system.update(record.id, { name: token }),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(codeOf(error)).toBe('invalid_input')
      expect(JSON.stringify([String(error), error])).not.toContain(secret.slice(0, 20))
    }
    expect((await tokens.system.get(record.id))?.status).toBe('active')
  })
})
