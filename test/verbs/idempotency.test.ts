import type { CreateInput } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal, type SCOPES, type Scope, verdict } from '../latchkey/harness.js'

const INPUT = { name: 'ERP', scopes: ['stock:read'], idempotencyKey: 'k1' } as const
const ANN = { id: 'ann', tenants: '*', manages: 'all' } as const

describe('create with an idempotency key', () => {
  it('an idempotency key creates one token however many retries race, and the token is shown once', async () => {
    const tokens = instance()
    const answers = await Promise.all(Array.from({ length: 50 }, () => tokens.system.create(INPUT)))
    expect(answers.filter(({ token }) => token !== undefined)).toHaveLength(1)
    expect(answers.filter(({ replayed }) => replayed === true)).toHaveLength(49)
    expect(new Set(answers.map(({ record }) => record.id)).size).toBe(1)
    expect((await tokens.system.list()).items).toHaveLength(1)
    expect((await tokens.system.events({ action: 'token.created' })).items).toHaveLength(1)
    expect(JSON.stringify(answers.filter(({ replayed }) => replayed))).not.toMatch(/acme_test_[0-9A-Za-z]{16}_/)
  })

  it('a retry that finds its token writes nothing', async () => {
    const calls: string[] = []
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      calls.push(method)
      return proceed()
    })
    const tokens = instance({ store })
    const { record } = await tokens.system.create(INPUT)
    calls.length = 0
    expect(await tokens.system.create(INPUT)).toMatchObject({ replayed: true, record: { id: record.id } })
    expect(calls).not.toContain('commit')
  })

  it('does not confuse the same actor ID and idempotency key in two tenants', async () => {
    const tokens = instance()
    const ids = await Promise.all(
      ['acme', 'globex'].map(async (tenantId) => {
        const actor = { id: 'ann', tenants: [tenantId], manages: 'all' } as const
        return (await tokens.as(actor).create({ ...INPUT, tenantId })).record.id
      }),
    )
    expect(new Set(ids).size).toBe(2)
  })

  it('finds the token of a creation whose response was lost', async () => {
    let lost = true
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      const answer = proceed()
      if (method !== 'commit' || !lost) return answer
      lost = false
      throw new Error('reset')
    })
    const tokens = instance({ store })
    expect(await refusal(tokens.system.create(INPUT))).toMatch(/^store_unavailable/)
    expect(await tokens.system.create(INPUT)).toMatchObject({ replayed: true })
    expect((await tokens.system.list()).items).toHaveLength(1)
  })

  it('refuses an idempotency key for a different request, and keeps the keys of each actor separate', async () => {
    const tokens = instance()
    const first = await tokens.system.create(INPUT)
    for (const change of [
      { name: 'CRM' },
      { scopes: ['stock:write'] },
      { tenantId: 't1' },
      { expiresIn: 60 },
      { metadata: { a: 1 } },
    ] as const) {
      expect(await refusal(tokens.system.create({ ...INPUT, ...change }))).toBe('idempotency_key_reused idempotencyKey')
    }
    const other = await tokens.as(ANN).create(INPUT)
    expect(other.record.id).not.toBe(first.record.id)
    expect((await tokens.system.list()).items).toHaveLength(2)
  })

  it('replays a creation if only the order of object members differs, but not if a value differs', async () => {
    const tokens = instance()
    const input = {
      ...INPUT,
      metadata: { a: 1, b: { c: [1, { d: 2, e: 3 }], f: null } },
      resources: { warehouse: ['w1', 'w2'], line: ['l1'] },
    }
    const { record } = await tokens.system.create(input)
    const reordered = {
      resources: { line: ['l1'], warehouse: ['w1', 'w2'] },
      metadata: { b: { f: null, c: [1, { e: 3, d: 2 }] }, a: 1 },
      ...{ idempotencyKey: INPUT.idempotencyKey, scopes: INPUT.scopes, name: INPUT.name },
    }
    expect(await tokens.system.create(reordered)).toMatchObject({ replayed: true, record: { id: record.id } })
    for (const change of [{ metadata: { ...input.metadata, a: 2 } }, { resources: { warehouse: ['w1'], line: ['l1', 'w2'] } }]) {
      expect(await refusal(tokens.system.create({ ...reordered, ...change }))).toBe('idempotency_key_reused idempotencyKey')
    }
  })

  it('keeps the idempotency keys of creations, and of rotations of each token, separate', async () => {
    const tokens = instance()
    const idempotencyKey = INPUT.idempotencyKey
    const [first, second] = [await tokens.system.create(INPUT), await mint(tokens)]
    const rotated = [
      await tokens.system.rotate(first.record.id, { idempotencyKey }),
      await tokens.system.rotate(second.record.id, { idempotencyKey }),
    ]
    expect(rotated.map(({ replayed }) => replayed)).toEqual([undefined, undefined])
    expect(await tokens.system.rotate(second.record.id, { idempotencyKey })).toMatchObject({ replayed: true })
    expect(new Set([first, ...rotated].map(({ record }) => record.id)).size).toBe(3)
  })

  it('replays a creation after some time, even if its expiry is written in a different form', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now, expiry: { default: 1000 } })
    const at = now + 60_000
    const first = await tokens.system.create({ ...INPUT, expiresAt: at })
    now += 5000
    expect(await tokens.system.create({ ...INPUT, expiresAt: new Date(at).toISOString() })).toMatchObject({
      record: { id: first.record.id },
    })
    await tokens.system.create({ ...INPUT, idempotencyKey: 'k2', rotateEvery: 3600 })
    now += 5000
    expect(await tokens.system.create({ ...INPUT, idempotencyKey: 'k2', rotateEvery: 3600 })).toMatchObject({ replayed: true })
  })

  it('replays a creation with the current state of the record', async () => {
    const tokens = instance()
    const { record } = await tokens.system.create(INPUT)
    await tokens.system.revoke(record.id)
    expect(await tokens.system.create(INPUT)).toMatchObject({ record: { status: 'revoked' }, replayed: true })
  })

  it('replays a creation after its expiresAt has passed', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const input = { ...INPUT, expiresAt: now + 60_000 }
    const { record } = await tokens.system.create(input)
    now += 60_000
    expect(await tokens.system.create(input)).toMatchObject({ record: { id: record.id, status: 'expired' }, replayed: true })
    expect(await refusal(tokens.system.create({ ...input, idempotencyKey: 'k2' }))).toBe('invalid_input expiresAt')
    expect(await refusal(tokens.system.create({ ...input, name: 'CRM' }))).toBe('invalid_input expiresAt')
    expect(await refusal(tokens.as(ANN).create(input))).toBe('invalid_input expiresAt')
  })

  it('replays a creation that the options no longer allow', async () => {
    const store = memoryStore()
    const owner = () => ({ scopes: ['stock:read'] })
    const before = instance({ store, owner })
    const inputs = [
      { ...INPUT, idempotencyKey: 'forever' },
      { ...INPUT, idempotencyKey: 'long', expiresIn: '90d' },
      { ...INPUT, idempotencyKey: 'inherits', scopes: undefined, inherit: true, ownerId: 'ann', expiresIn: 60 },
      { ...INPUT, idempotencyKey: 'removed', scopes: ['billing:read', 'billing:read'], expiresIn: 60 },
    ].map(({ scopes, ...rest }) => (scopes === undefined ? rest : { ...rest, scopes })) as CreateInput<Scope>[]
    const ids: string[] = []
    for (const input of inputs) ids.push((await before.system.create(input)).record.id)
    const after = instance({ store, scopes: { 'stock:read': 'See stock' } as typeof SCOPES, expiry: { max: '1d', required: true } })
    for (const [at, input] of inputs.entries()) {
      expect(await after.system.create(input)).toMatchObject({ record: { id: ids[at] }, replayed: true })
      expect(await refusal(after.system.create({ ...input, idempotencyKey: `${at}` }))).toMatch(/^invalid_input/)
    }
  })

  it('replays a creation for an actor that may no longer grant it, but only to an actor that can see the token', async () => {
    let allowed = true
    const tokens = instance({ mayOwn: () => allowed })
    const input = { ...INPUT, tenantId: 't1', ownerId: 'bob' }
    const actor = { id: 'ann', tenants: ['t1'], manages: 'all' } as const
    const { record } = await tokens.as(actor).create(input)
    allowed = false
    const again = { record: { id: record.id }, replayed: true }
    expect(await tokens.as(actor).create(input)).toMatchObject(again)
    expect(await tokens.as({ ...actor, scopes: [] }).create(input)).toMatchObject(again)
    expect(await refusal(tokens.as({ ...actor, tenants: ['t2'] }).create(input))).toBe('grant_denied tenantId')
  })

  it('a retry whose first result cannot be read is not refused for good', async () => {
    let isDown = false
    let now = Date.now()
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      if (isDown && method === 'find') throw new Error('down')
      return proceed()
    })
    const tokens = instance({ store, clock: () => now })
    const input = { ...INPUT, expiresAt: new Date(now + 60_000) }
    const { record } = await tokens.system.create(input)
    now += 120_000
    isDown = true
    expect(await refusal(tokens.system.create(input))).toMatch(/^store_unavailable/)
    isDown = false
    expect(await tokens.system.create(input)).toMatchObject({ replayed: true, record: { id: record.id } })
  })
})

describe('rotate with an idempotency key', () => {
  it('creates one successor, no matter how many retries of a rotation run concurrently', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tokens.system.rotate(record.id, { overlap: 60, idempotencyKey: 'r1' })),
    )
    expect(answers.filter(({ token }) => token !== undefined)).toHaveLength(1)
    expect(new Set(answers.map((answer) => answer.record.id)).size).toBe(1)
    expect((await tokens.system.list()).items).toHaveLength(2)
  })

  it('refuses a rotation with a different key, or with the same key and a different overlap', async () => {
    const tokens = instance()
    const { record } = await mint(tokens)
    const first = await tokens.system.rotate(record.id, { idempotencyKey: 'r1' })
    expect(await refusal(tokens.system.rotate(record.id, { idempotencyKey: 'r2' }))).toMatch(/^conflict/)
    expect(await refusal(tokens.system.rotate(record.id, { idempotencyKey: 'r1', overlap: 5 }))).toBe(
      'idempotency_key_reused idempotencyKey',
    )
    expect(await tokens.system.rotate(record.id, { idempotencyKey: 'r1' })).toMatchObject({ replayed: true })
    expect(await verdict(tokens.verify(first.token ?? ''))).toBe('ok')
  })

  it('treats the same idempotency key separately for rotations of two tokens', async () => {
    const tokens = instance()
    const a = await mint(tokens)
    const b = await mint(tokens)
    const one = await tokens.system.rotate(a.record.id, { idempotencyKey: 'r1' })
    const two = await tokens.system.rotate(b.record.id, { idempotencyKey: 'r1' })
    expect(two.token).toBeDefined()
    expect(two.record.id).not.toBe(one.record.id)
  })
  it('replays a rotation after the options began to require an expiry', async () => {
    const store = memoryStore()
    const { record } = await mint(instance({ store }))
    const { record: successor } = await instance({ store }).system.rotate(record.id, { idempotencyKey: 'r1' })
    const tokens = instance({ store, expiry: { required: true } })
    expect(await tokens.system.rotate(record.id, { idempotencyKey: 'r1' })).toMatchObject({ record: { id: successor.id }, replayed: true })
    expect(await refusal(tokens.system.rotate(successor.id, { idempotencyKey: 'r1' }))).toMatch(/^conflict/)
  })
})
