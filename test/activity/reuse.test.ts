import type { AuditEvent, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { createDigesters } from '../../src/token/digest.js'
import { mintToken } from '../../src/token/generate.js'
import { platformRandom } from '../../src/token/random.js'
import { instance, mint, pause, refusal, type Scope, until, verdict, warm } from '../latchkey/harness.js'

const reuses = async (tokens: Latchkey<Scope>): Promise<readonly AuditEvent[]> =>
  (await tokens.system.events({ action: 'token.reused', limit: 1000 })).items

const statuses = async (tokens: Latchkey<Scope>, ids: readonly string[]): Promise<readonly (string | undefined)[]> =>
  Promise.all(ids.map(async (id) => (await tokens.system.get(id))?.status))

/** A lineage of three tokens: the first two have ended, and the last is in use. */
async function lineOfThree(tokens: Latchkey<Scope>, terms: Parameters<typeof mint>[1] = {}) {
  const first = await mint(tokens, terms)
  const second = await tokens.system.rotate(first.record.id)
  const third = await tokens.system.rotate(second.record.id)
  return { first, second, third, ids: [first.record.id, second.record.id, third.record.id] }
}

describe('a rotated token that is presented after its end', () => {
  it("the reuse of a rotated token is recorded in that token's trail, with the address of the caller", async () => {
    const told: AuditEvent[] = []
    const tokens = instance({ onEvent: (event) => void (event.action === 'token.reused' && told.push(event)) })
    const { token, record } = await mint(tokens, { tenantId: 't1', ownerId: 'u1' })
    await tokens.system.rotate(record.id)
    expect(await verdict(tokens.verify(token, { ip: '::ffff:203.0.113.9' }))).toBe('token_revoked')
    await tokens.flush()
    const [event] = await reuses(tokens)
    expect(event).toMatchObject({
      action: 'token.reused',
      actorId: `token:${record.id}`,
      tokenId: record.id,
      tenantId: 't1',
      ownerId: 'u1',
      ip: '203.0.113.9',
      code: 'token_revoked',
      count: 1,
    })
    expect(told).toEqual([event])
    expect(JSON.stringify(event)).not.toContain(token.slice(-12))
    const admin = tokens.as({ id: 'ann', tenants: ['t1'], manages: 'all' })
    expect((await admin.events({ tokenId: record.id })).items.map(({ action }) => action)).toContain('token.reused')
  })

  it('using a rotated token counts as reuse after its overlap, but not during the overlap', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const { token, record } = await mint(tokens)
    await tokens.system.rotate(record.id, { overlap: '1m' })
    expect(await verdict(tokens.verify(token))).toBe('ok')
    await tokens.flush()
    expect(await reuses(tokens)).toEqual([])
    now += 60_000
    expect(await verdict(tokens.verify(token))).toBe('token_expired')
    await tokens.flush()
    expect(await reuses(tokens)).toMatchObject([{ tokenId: record.id, code: 'token_expired' }])
  })

  it('a service that only introspects tokens also records the reuse of a rotated token', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    await tokens.system.rotate(record.id)
    expect(await tokens.introspect(token)).toEqual({ active: false })
    await tokens.flush()
    expect(await reuses(tokens)).toMatchObject([{ tokenId: record.id }])
  })

  it('records the reuse of a token that was deactivated during its overlap', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const { token, record } = await mint(tokens)
    await tokens.system.rotate(record.id, { overlap: 60 })
    await tokens.system.deactivate(record.id)
    expect(await verdict(tokens.verify(token))).toBe('token_inactive')
    await tokens.flush()
    expect(await reuses(tokens)).toEqual([])
    now += 60_000
    expect(await verdict(tokens.verify(token))).toBe('token_inactive')
    await tokens.flush()
    expect(await reuses(tokens)).toHaveLength(1)
  })

  it('presenting a token that ended without a successor, or only the ID of a token, does not count as reuse', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now, onReuse: 'revoke_lineage' })
    const revoked = await mint(tokens)
    await tokens.system.revoke(revoked.record.id)
    const expired = await mint(tokens, { expiresIn: 1 })
    const { record } = await mint(tokens)
    const next = await tokens.system.rotate(record.id)
    const forged = mintToken('acme_test', record.id, createDigesters([])[0], platformRandom)
    now += 1000
    for (const { token } of [revoked, expired, forged]) expect(await verdict(tokens.verify(token))).not.toBe('ok')
    await tokens.flush()
    expect(await reuses(tokens)).toEqual([])
    expect(await verdict(tokens.verify(next.token))).toBe('ok')
  })

  it('a flood of reuses causes only a few events, and no request waits for a write', async () => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store, onReuse: 'revoke_lineage', usage: { flushEvery: 0.01 }, cache: { maxStaleness: '60s' } })
    const { token, record } = await mint(tokens)
    await tokens.system.rotate(record.id)
    await warm(tokens, token)
    const decide = () => deciderOf(tokens).decide(token)
    const answers = Array.from({ length: 20_000 }, decide)
    expect(answers.filter((answer) => answer instanceof Promise || answer.ok)).toEqual([])
    await tokens.close()
    const events = await reuses(instance({ store }))
    expect(events.length).toBeLessThan(4)
    expect(events.reduce((sum, { count }) => sum + (count ?? 0), 0)).toBeGreaterThan(20_000)
  })
})

describe("with onReuse: 'revoke_lineage'", () => {
  it('the reuse of a token revokes every token in its lineage, and no other', async () => {
    const tokens = instance({ onReuse: 'revoke_lineage' })
    const { first, third, ids } = await lineOfThree(tokens, { tenantId: 't1' })
    const other = await mint(tokens, { tenantId: 't1' })
    expect(await verdict(tokens.verify(third.token))).toBe('ok')
    expect(await verdict(tokens.verify(first.token))).toBe('token_revoked')
    await tokens.flush()
    expect(await verdict(tokens.verify(third.token))).toBe('token_revoked')
    expect(await verdict(tokens.verify(other.token))).toBe('ok')
    expect(await tokens.system.get(third.record.id)).toMatchObject({ status: 'revoked', revokedCode: 'reused', revokedBy: 'system' })
    expect(await refusal(tokens.system.rotate(third.record.id))).toMatch(/^conflict/)
    const [event, ...more] = (await tokens.system.events({ action: 'tokens.revoked' })).items
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 't1', count: 1, actorId: 'system', details: { reusedId: first.record.id } })
    const admin = tokens.as({ id: 'ann', tenants: ['t1'], manages: 'all' })
    expect((await admin.events({ tokenId: ids[2] })).items[0]).toEqual(event)
  })

  it('the reuse of a token also revokes an earlier token of its lineage that is still in its overlap', async () => {
    const tokens = instance({ onReuse: 'revoke_lineage' })
    const first = await mint(tokens)
    const second = await tokens.system.rotate(first.record.id, { overlap: '1d' })
    const third = await tokens.system.rotate(second.record.id)
    expect(await verdict(tokens.verify(second.token))).toBe('token_revoked')
    await tokens.flush()
    for (const { token } of [first, second, third]) expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })

  it('the reuse of a token revokes its whole lineage even if a token in the middle was pruned', async () => {
    let now = Date.now()
    const tokens = instance({ onReuse: 'revoke_lineage', clock: () => now })
    const first = await mint(tokens)
    const second = await tokens.system.rotate(first.record.id, { overlap: 60 })
    const third = await tokens.system.rotate(second.record.id)
    now += 30_000
    await tokens.system.prune({ before: now })
    expect(await tokens.system.get(second.record.id)).toBeUndefined()
    now += 60_000
    expect(await verdict(tokens.verify(first.token))).toBe('token_expired')
    await tokens.flush()
    expect(await verdict(tokens.verify(third.token))).toBe('token_revoked')
  })

  it('revokes no lineage unless onReuse says so, and refuses unknown values of onReuse', async () => {
    const tokens = instance()
    const { first, third } = await lineOfThree(tokens)
    await tokens.verify(first.token)
    await tokens.flush()
    expect(await verdict(tokens.verify(third.token))).toBe('ok')
    for (const wrong of ['revoke', true, undefined, null]) {
      expect(() => instance({ onReuse: wrong as never })).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'onReuse' }))
    }
  })

  it('the reuse of a token also revokes the successor of a concurrent rotation', async () => {
    for (let round = 0; round < 20; round += 1) {
      const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
        if (method === 'commit' || method === 'find' || method === 'revokeWhere') await new Promise((resolve) => setImmediate(resolve))
        return proceed()
      })
      const tokens = instance({ store, onReuse: 'revoke_lineage' })
      const first = await mint(tokens)
      const second = await tokens.system.rotate(first.record.id)
      const rotation = tokens.system.rotate(second.record.id, { overlap: '1h' }).catch(() => undefined)
      for (let turn = 0; turn < round % 7; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      await tokens.verify(first.token)
      const third = await rotation
      await tokens.flush()
      expect(await verdict(tokens.verify(second.token))).toBe('token_revoked')
      if (third !== undefined) expect(await verdict(tokens.verify(third.token))).toBe('token_revoked')
    }
  })

  it('a lineage is revoked once if two nodes see the reuse at the same moment', async () => {
    const store = memoryStore()
    const nodes = [instance({ store, onReuse: 'revoke_lineage' }), instance({ store, onReuse: 'revoke_lineage' })] as const
    const { first, third } = await lineOfThree(nodes[0])
    await Promise.all(nodes.flatMap((node) => [node.verify(first.token), node.verify(first.token)]))
    await Promise.all(nodes.map((node) => node.flush()))
    for (const node of nodes) await until(async () => (await verdict(node.verify(third.token))) === 'token_revoked')
    expect((await nodes[0].system.events({ action: 'tokens.revoked' })).items).toMatchObject([{ count: 1 }])
  })

  it('the revocation of a lineage is delayed by an outage, but not lost', async () => {
    const shared = memoryStore()
    const store = faultyStore(shared)
    const tokens = instance({ store, onReuse: 'revoke_lineage', usage: { flushEvery: 0.01 } })
    const { first, third } = await lineOfThree(tokens)
    await warm(tokens, first.token).catch(() => undefined)
    expect((await statuses(tokens, [third.record.id]))[0]).toBe('revoked')
    const later = await lineOfThree(tokens)
    store.behave({ revokeWhere: { do: 'fail', error: new Error('down') } })
    for (let use = 0; use < 5; use += 1) expect(await verdict(tokens.verify(later.first.token))).toBe('token_revoked')
    await pause(50)
    expect(await verdict(tokens.verify(later.third.token))).toBe('ok')
    store.behave()
    await until(async () => (await verdict(tokens.verify(later.third.token))) === 'token_revoked')
  })

  it('if the store rejects the revocation of one lineage, other lineages are revoked and the rejected revocation is retried', async () => {
    let refused: unknown
    const store = interceptStore(memoryStore(), ({ method, args }, proceed) => {
      if (method === 'revokeWhere' && Reflect.get(Object(args[0]), 'rootId') === refused) throw new Error('not this one')
      return proceed()
    })
    const tokens = instance({ store, onReuse: 'revoke_lineage', usage: { flushEvery: 0.01 } })
    const [stuck, other] = [await lineOfThree(tokens), await lineOfThree(tokens)]
    refused = stuck.first.record.id
    for (const line of [stuck, other]) expect(await verdict(tokens.verify(line.first.token))).toBe('token_revoked')
    await until(async () => (await verdict(tokens.verify(other.third.token))) === 'token_revoked')
    expect(await verdict(tokens.verify(stuck.third.token))).toBe('ok')
    refused = undefined
    await until(async () => (await verdict(tokens.verify(stuck.third.token))) === 'token_revoked')
  })

  it('the lineages of a tenant are revoked even if many lineages of another tenant are waiting', { timeout: 120_000 }, async () => {
    const held: (() => void)[] = []
    let holding = false
    const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
      if (method === 'revokeWhere' && holding) await new Promise<void>((resolve) => held.push(resolve))
      return proceed()
    })
    const told: string[] = []
    const tokens = instance({ store, onReuse: 'revoke_lineage', onError: ({ where }) => told.push(where), deadline: '60s' })
    const many = await Promise.all(Array.from({ length: 1001 }, () => lineOfThree(tokens, { tenantId: 'loud' })))
    const [quiet, late] = [await lineOfThree(tokens, { tenantId: 'quiet' }), await lineOfThree(tokens)]
    holding = true
    for (const line of [...many, quiet, late]) expect(await verdict(tokens.verify(line.first.token))).toBe('token_revoked')
    expect(told).toEqual(['flush'])
    holding = false
    for (const release of held) release()
    await tokens.flush()
    await tokens.flush()
    expect(await statuses(tokens, [quiet.third.record.id, late.third.record.id])).toEqual(['revoked', 'revoked'])
  })

  it('if a process dies before it revokes a lineage, the next reuse on any node revokes the lineage', async () => {
    const shared = memoryStore()
    const dying = faultyStore(shared)
    const tokens = instance({ store: dying, onReuse: 'revoke_lineage', deadline: 0.2 })
    const { first, third, ids } = await lineOfThree(tokens)
    dying.behave({ revokeWhere: { do: 'hang' } })
    await tokens.verify(first.token)
    expect(await statuses(instance({ store: shared }), ids)).toEqual(['revoked', 'revoked', 'active'])
    const next = instance({ store: shared, onReuse: 'revoke_lineage' })
    await next.verify(first.token)
    await next.flush()
    expect(await verdict(next.verify(third.token))).toBe('token_revoked')
    dying.behave()
  })

  it.each([Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 9e15])(
    'no lineage is revoked when the clock returns %s',
    async (wrong) => {
      let now = Date.now()
      const store = memoryStore()
      const tokens = instance({ store, onReuse: 'revoke_lineage', clock: () => now })
      const first = await mint(tokens)
      const second = await tokens.system.rotate(first.record.id, { overlap: 60 })
      now = wrong
      expect(await verdict(tokens.verify(first.token))).toBe('token_expired')
      await tokens.flush().catch(() => undefined)
      now = Date.now()
      expect(await verdict(tokens.verify(second.token))).toBe('ok')
      expect((await tokens.system.get(second.record.id))?.status).toBe('active')
    },
  )
})
