import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal, SYSTEM, verdict } from '../latchkey/harness.js'

const INPUT = { name: 'ERP', scopes: ['stock:read'], idempotencyKey: 'k1' } as const
const ANN = { id: 'ann', tenants: '*', manages: 'all' } as const

describe('create under an idempotency key', () => {
  it('makes one token however many retries race, and shows it once', async () => {
    const tokens = instance()
    const answers = await Promise.all(Array.from({ length: 50 }, () => tokens.create(INPUT, SYSTEM)))
    expect(answers.filter(({ token }) => token !== undefined)).toHaveLength(1)
    expect(answers.filter(({ replayed }) => replayed === true)).toHaveLength(49)
    expect(new Set(answers.map(({ record }) => record.id)).size).toBe(1)
    expect((await tokens.list()).items).toHaveLength(1)
    expect((await tokens.events({ action: 'token.created' })).items).toHaveLength(1)
    expect(JSON.stringify(answers.filter(({ replayed }) => replayed))).not.toMatch(/acme_test_[0-9A-Za-z]{16}_/)
  })

  it('is of its tenant: people of one name and key in two tenants do not meet', async () => {
    const tokens = instance()
    const ids = await Promise.all(
      ['acme', 'globex'].map(async (tenantId) => {
        const actor = { id: 'ann', tenants: [tenantId], manages: 'all' } as const
        return (await tokens.create({ ...INPUT, tenantId }, { actor })).record.id
      }),
    )
    expect(new Set(ids).size).toBe(2)
  })

  it('finds the token of a create whose answer was lost', async () => {
    let lost = true
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      const answer = proceed()
      if (method !== 'commit' || !lost) return answer
      lost = false
      throw new Error('reset')
    })
    const tokens = instance({ store })
    expect(await refusal(tokens.create(INPUT, SYSTEM))).toMatch(/^store_unavailable/)
    expect(await tokens.create(INPUT, SYSTEM)).toMatchObject({ replayed: true })
    expect((await tokens.list()).items).toHaveLength(1)
  })

  it('refuses the key for another request, and keeps the keys of actors apart', async () => {
    const tokens = instance()
    const first = await tokens.create(INPUT, SYSTEM)
    for (const change of [
      { name: 'CRM' },
      { scopes: ['stock:write'] },
      { tenantId: 't1' },
      { ttlSeconds: 60 },
      { metadata: { a: 1 } },
    ] as const) {
      expect(await refusal(tokens.create({ ...INPUT, ...change }, SYSTEM))).toBe('idempotency_key_reused idempotencyKey')
    }
    const other = await tokens.create(INPUT, { actor: ANN })
    expect(other.record.id).not.toBe(first.record.id)
    expect((await tokens.list()).items).toHaveLength(2)
  })

  it('is a replay also when it was given as another form of the same instant, and later', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now, defaultTtlSeconds: 1000 })
    const at = now + 60_000
    const first = await tokens.create({ ...INPUT, expiresAt: at }, SYSTEM)
    now += 5000
    expect(await tokens.create({ ...INPUT, expiresAt: new Date(at).toISOString() }, SYSTEM)).toMatchObject({
      record: { id: first.record.id },
    })
    await tokens.create({ ...INPUT, idempotencyKey: 'k2', rotateEverySeconds: 60 }, SYSTEM)
    now += 5000
    expect(await tokens.create({ ...INPUT, idempotencyKey: 'k2', rotateEverySeconds: 60 }, SYSTEM)).toMatchObject({ replayed: true })
  })

  it('answers the record as it is now', async () => {
    const tokens = instance()
    const { record } = await tokens.create(INPUT, SYSTEM)
    await tokens.revoke(record.id, {}, SYSTEM)
    expect(await tokens.create(INPUT, SYSTEM)).toMatchObject({ record: { status: 'revoked' }, replayed: true })
  })
})

describe('rotate under an idempotency key', () => {
  it('makes one successor however many retries race', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tokens.rotate(record.id, { overlapSeconds: 60, idempotencyKey: 'r1' }, SYSTEM)),
    )
    expect(answers.filter(({ token }) => token !== undefined)).toHaveLength(1)
    expect(new Set(answers.map((answer) => answer.record.id)).size).toBe(1)
    expect((await tokens.list()).items).toHaveLength(2)
  })

  it('refuses another key, and the same key for another overlap', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const first = await tokens.rotate(record.id, { idempotencyKey: 'r1' }, SYSTEM)
    expect(await refusal(tokens.rotate(record.id, { idempotencyKey: 'r2' }, SYSTEM))).toMatch(/^conflict/)
    expect(await refusal(tokens.rotate(record.id, { idempotencyKey: 'r1', overlapSeconds: 5 }, SYSTEM))).toBe(
      'idempotency_key_reused idempotencyKey',
    )
    expect(await tokens.rotate(record.id, { idempotencyKey: 'r1' }, SYSTEM)).toMatchObject({ replayed: true })
    expect(await verdict(tokens.verify(first.token ?? ''))).toBe('ok')
  })

  it('does not answer for the token of another', async () => {
    const tokens = instance()
    const a = await mint(tokens)
    const b = await mint(tokens)
    const one = await tokens.rotate(a.record.id, { idempotencyKey: 'r1' }, SYSTEM)
    const two = await tokens.rotate(b.record.id, { idempotencyKey: 'r1' }, SYSTEM)
    expect(two.token).toBeDefined()
    expect(two.record.id).not.toBe(one.record.id)
  })
})
