import type { Latchkey, LatchkeyOptions, UpdateInput } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { ACTIONS } from '../../src/model/event.js'
import { instance, mint, principalOf, type Scope, verdict } from '../latchkey/harness.js'
import { fc } from '../support/property.js'

const T0 = Date.UTC(2030, 0, 1)
const HOUR = 3_600_000

function timed(options: Partial<LatchkeyOptions<Scope>> = {}) {
  const time = { now: T0 }
  const store = memoryStore()
  const tokens = instance({ clock: () => time.now, usage: false, store, ...options })
  return { tokens, time, store }
}

const stepsOf = async (tokens: Latchkey<Scope>, id: string, at: number, scope?: string) =>
  Object.fromEntries((await tokens.system.explain(id, scope === undefined ? { at } : { at, scope })).steps.map((step) => [step.step, step]))

const ACTS = [
  'deactivate',
  'activate',
  'wait',
  'narrow',
  'widen',
  'expire',
  'extend',
  'addresses',
  'anywhere',
  'rename',
  'rotate',
  'overlap',
  'transfer',
  'revoke',
  'bulk',
] as const

const edits: { readonly [act: string]: (now: number) => UpdateInput<Scope> } = {
  narrow: () => ({ scopes: ['billing:read'], resources: { b: ['1'], a: ['2'] } }),
  widen: () => ({ scopes: ['stock:read', 'billing:read'], resources: null }),
  expire: (now) => ({ expiresAt: now + 2 * HOUR }),
  extend: () => ({ expiresAt: null }),
  addresses: () => ({ allowedIps: ['192.0.2.0/24'] }),
  anywhere: () => ({ allowedIps: null }),
  rename: () => ({ name: 'another', metadata: { z: 1, a: { y: 2, b: 3 } } }),
}

async function perform(tokens: Latchkey<Scope>, id: string, act: (typeof ACTS)[number], now: number): Promise<void> {
  const edit = edits[act]
  if (edit !== undefined) await tokens.system.update(id, edit(now))
  else if (act === 'deactivate') await tokens.system.deactivate(id)
  else if (act === 'activate') await tokens.system.activate(id)
  else if (act === 'rotate') await tokens.system.rotate(id)
  else if (act === 'overlap') await tokens.system.rotate(id, { overlap: '1h' })
  else if (act === 'transfer') await tokens.system.rotate(id, { ownerId: 'bob', overlap: '1h' })
  else if (act === 'revoke') await tokens.system.revoke(id)
  else if (act === 'bulk') await tokens.system.revokeAll({ tenantId: 't1' })
}

describe('explain for the past', () => {
  it('explains how a request was decided at a past instant, however the token has changed since', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...ACTS), { maxLength: 8 }), async (acts) => {
        const { tokens, time } = timed()
        const ip = '10.0.0.1'
        const { token, record } = await mint(tokens, { tenantId: 't1' })
        const then: { at: number; got: string }[] = []
        const look = async (): Promise<void> => {
          const verified = await verdict(tokens.verify(token, { ip }))
          const allowed = verified === 'ok' && (await principalOf(tokens.verify(token, { ip }))).allows('stock:read')
          then.push({ at: time.now, got: verified === 'ok' && !allowed ? 'scope_insufficient' : verified })
        }
        await look()
        for (const act of acts) {
          time.now += HOUR
          // Some actions are refused, such as any action after a revocation.
          await perform(tokens, record.id, act, time.now).catch((error: { code: string }) =>
            expect(['conflict', 'invalid_input']).toContain(error.code),
          )
          await look()
        }
        time.now += 10 * HOUR
        for (const { at, got } of then) {
          const explained = await tokens.system.explain(record.id, { at, ip, scope: 'stock:read' })
          seen.add(got)
          expect([at - T0, explained.ok === true ? 'ok' : explained.code]).toEqual([at - T0, got])
        }
        expect(await tokens.system.explain(record.id, { at: T0 - 1 })).toMatchObject({ ok: false, code: 'token_unknown' })
      }),
      { numRuns: 150 },
    )
    expect([...seen].sort()).toEqual(['ip_denied', 'ok', 'scope_insufficient', 'token_expired', 'token_inactive', 'token_revoked'])
  })

  it('explain() reports past owners and rate limits as unknown, and uses the current groups', async () => {
    const limiter = { points: 1, duration: 60, consume: () => answer, penalty: () => answer, reward: () => answer }
    const answer = { consumedPoints: 1, remainingPoints: 1, msBeforeNext: 1000 }
    const { tokens, time } = timed({
      groups: { staff: ['stock:*'] },
      owner: () => ({ scopes: ['stock:read'] }),
      rateLimit: { limits: [{ name: 'burst', by: 'token', limiter }], onFailure: 'refuse' },
    })
    const { record } = await mint(tokens, { scopes: ['@staff'], ownerId: 'ada' })
    time.now += HOUR
    const explained = await tokens.system.explain(record.id, { at: T0, scope: 'stock:read' })
    expect([explained.ok, explained.code]).toEqual([undefined, undefined])
    expect(explained.steps.filter(({ ok }) => ok === undefined)).toMatchObject([
      { step: 'owner', unknown: 'not_recorded', ownerId: 'ada' },
      { step: 'rate', unknown: 'not_recorded', limits: ['burst'] },
      { step: 'scopes', unknown: 'owner_unknown', assumes: 'present_options', scopes: [{ grants: ['@staff'] }] },
      { step: 'resources', unknown: 'owner_unknown' },
    ])
    // An owner never adds scopes to a token. Which of the two refuses first is unknown.
    const beyond = await tokens.system.explain(record.id, { at: T0, scope: 'billing:read' })
    expect([beyond.ok, beyond.code]).toEqual([false, undefined])
  })

  it('explain() explains only the revocation of a token if its audit events were removed', async () => {
    const { tokens, time, store } = timed()
    const { record } = await mint(tokens, { tenantId: 't1' })
    time.now = T0 + HOUR
    await tokens.system.update(record.id, { allowedIps: [] })
    time.now = T0 + 2 * HOUR
    await tokens.system.update(record.id, { allowedIps: null })
    time.now = T0 + 3 * HOUR
    await tokens.system.revoke(record.id)
    time.now = T0 + 9 * HOUR
    const events = await tokens.system.events({ tokenId: record.id, order: 'oldest' })
    const [, narrowed, widened] = events.items
    const at = T0 + 1.5 * HOUR
    expect(await stepsOf(tokens, record.id, at)).toMatchObject({ address: { unknown: 'not_given', allowedIps: [] } })
    await store.removeEvents('acme_test', [narrowed?.id ?? '', widened?.id ?? ''])
    const explained = await stepsOf(tokens, record.id, at, 'stock:read')
    expect(explained).toMatchObject({ record: { ok: true }, revoked: { ok: true } })
    for (const step of ['inactive', 'not_before', 'expired', 'address', 'scopes']) {
      expect(explained[step]).toEqual({ step, unknown: 'events_incomplete' })
    }
    // From the last change on, the record itself has the answer.
    expect(await tokens.system.explain(record.id, { at: T0 + 4 * HOUR })).toMatchObject({ ok: false, code: 'token_revoked' })
  })

  it('notices about a token do not prevent an explanation of an earlier instant', async () => {
    const { tokens, time, store } = timed()
    const { record } = await mint(tokens)
    const notices = ACTIONS.filter((action) =>
      /^token\.(refused|leaked|rotation_due|expiring|expired|unused|old_still_used|reused)$/.test(action),
    )
    expect(notices).toHaveLength(8)
    for (const action of notices) {
      time.now += HOUR
      const about = { prefix: 'acme_test', actorId: 'system', tokenId: record.id }
      await store.commit({ events: [{ id: action, at: time.now, action, ...about }] })
    }
    time.now += HOUR
    await tokens.system.deactivate(record.id)
    expect(await tokens.system.explain(record.id, { at: T0 + 1, scope: 'stock:read', ip: '10.0.0.1' })).toMatchObject({ ok: true })
  })

  it('explain() reports the past as unknown if the audit events do not match the record', async () => {
    const { tokens, time, store } = timed()
    const { record } = await mint(tokens)
    time.now = T0 + HOUR
    await tokens.system.update(record.id, { scopes: ['billing:read'] })
    time.now = T0 + 2 * HOUR
    await tokens.system.update(record.id, { scopes: ['stock:write'] })
    const [stored] = await store.find([record.id])
    if (stored === undefined) throw new Error('no record')
    const tampered = { ...stored, version: stored.version + 1, scopes: ['stock:read'], updatedAt: time.now }
    await store.commit({ updates: [{ expectedVersion: stored.version, record: tampered }], events: [] })
    time.now = T0 + 9 * HOUR
    expect(await stepsOf(tokens, record.id, T0 + 1.5 * HOUR, 'billing:read')).toMatchObject({ scopes: { unknown: 'events_incomplete' } })
    // Each event is consistent here, but one change has no event.
    const counted = await mint(tokens)
    const [second] = await store.find([counted.record.id])
    if (second === undefined) throw new Error('no record')
    await store.commit({ updates: [{ expectedVersion: 1, record: { ...second, version: 2, updatedAt: T0 + 10 * HOUR } }], events: [] })
    expect(await stepsOf(tokens, counted.record.id, time.now)).toMatchObject({ expired: { unknown: 'events_incomplete' } })
  })

  it('explain() reads a long history of large changes only up to a limit, in small steps, and reports the rest as unknown', {
    timeout: 60_000,
  }, async () => {
    const inner = memoryStore()
    const sizes: number[] = []
    const store = interceptStore(inner, async ({ method }, proceed) => {
      const answer = await proceed()
      if (method === 'events') sizes.push(JSON.stringify(answer).length)
      return answer
    })
    const { tokens, time } = timed({ store: store as typeof inner })
    const values = (tag: string) => Array.from({ length: 1000 }, (_, at) => `${tag}-${String(at).padStart(5, '0')}`.padEnd(58, 'x'))
    const { record } = await mint(tokens, { resources: { warehouse: values('a') } })
    const update = async (times: number) => {
      for (let turn = 0; turn < times; turn += 1) {
        time.now += 1000
        await tokens.system.update(record.id, { resources: { warehouse: values(turn % 2 === 0 ? 'b' : 'a') } })
      }
    }
    await update(40)
    expect(await stepsOf(tokens, record.id, T0, 'stock:read')).toMatchObject({ resources: { ok: true } })
    await update(300)
    sizes.length = 0
    expect(await stepsOf(tokens, record.id, T0, 'stock:read')).toMatchObject({ resources: { unknown: 'events_incomplete' } })
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * 1024 * 1024)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(24 * 1024 * 1024)
    // The recent past is still explained.
    expect(await stepsOf(tokens, record.id, time.now - 20_000, 'stock:read')).toMatchObject({ resources: { ok: true } })
  })

  it('explain() shows the refusals that the audit log recorded', async () => {
    const { tokens, time } = timed()
    const { token, record } = await mint(tokens, { expiresIn: 60 })
    time.now = T0 + HOUR
    await tokens.verify(token, { ip: '192.0.2.7' })
    await tokens.flush()
    const explained = await tokens.system.explain(record.id, { at: time.now - 1000 })
    expect(explained).toMatchObject({
      ok: false,
      code: 'token_expired',
      refusals: [{ at: new Date(time.now), code: 'token_expired', count: 1, ip: '192.0.2.7' }],
    })
    expect((await tokens.system.explain(record.id, { at: T0 })).refusals).toEqual([])
  })
})
