import type { AuditEvent } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { CoalescedEvents } from '../../src/activity/coalesced-events.js'
import { deciderOf, type Internals } from '../../src/instance.js'
import type { StoredEvent } from '../../src/model/event.js'
import type { GuardedStore } from '../../src/store/guarded-store.js'
import { instance, mint, until, verdict } from '../latchkey/harness.js'

/** A recorder with a clock that the test sets, and the events that the recorder has written. */
function recorder() {
  const written: StoredEvent[] = []
  let tick = 0
  const store = {
    usageRows: 100,
    commit: async ({ events }: { readonly events: readonly StoredEvent[] }) => {
      written.push(...events)
      return { ok: true }
    },
  }
  const events = new CoalescedEvents({
    store: store as unknown as GuardedStore,
    prefix: 'acme_live',
    monotonic: () => tick,
    announce: () => undefined,
    report: () => undefined,
    action: 'token.refused',
    others: { actorId: 'system', details: { tokens: 'various' } },
  })
  const note = (tenantId: string, at: number, ip: string): void =>
    events.note(`${tenantId} ${at}`, () => ({ actorId: 'token:x', tenantId, code: 'token_revoked' }), 1_700_000_000_000, ip)
  const flushAt = async (ms: number): Promise<void> => {
    tick = ms
    await events.flush(1_700_000_000_000, false)
  }
  return { written, note, flushAt }
}

it('an event about a quiet tenant is written within seconds even if another tenant has used up the budget', async () => {
  const { written, note, flushAt } = recorder()
  for (let at = 0; at < 500; at += 1) note('loud', at, '203.0.113.9')
  await flushAt(0)
  expect(written.length).toBe(60)
  note('quiet', 0, '198.51.100.7')
  for (let seconds = 1; seconds <= 2; seconds += 1) await flushAt(seconds * 1000)
  expect(written.slice(60).map(({ tenantId }) => tenantId)).toContain('quiet')
  for (let seconds = 3; seconds <= 60; seconds += 1) await flushAt(seconds * 1000)
  expect(written.length).toBeLessThanOrEqual(120)
})

it('an event first caused by a flood is written within seconds once another caller causes the same event', async () => {
  const { written, note, flushAt } = recorder()
  for (let at = 0; at < 500; at += 1) note(`own ${at}`, at, '203.0.113.9')
  note('acme', 0, '203.0.113.9')
  await flushAt(0)
  expect(written.map(({ tenantId }) => tenantId)).not.toContain('acme')
  note('acme', 0, '198.51.100.66')
  for (let seconds = 1; seconds <= 2; seconds += 1) await flushAt(seconds * 1000)
  expect(written.filter(({ tenantId }) => tenantId === 'acme')).toMatchObject([{ ip: '198.51.100.66', count: 2 }])
})

it('events beyond the budget are combined into one event per minute, which is not delayed', async () => {
  const { written, note, flushAt } = recorder()
  for (let at = 0; at < 3000; at += 1) note(`tenant ${at}`, at, '203.0.113.9')
  for (let seconds = 0; seconds < 60; seconds += 1) await flushAt(seconds * 1000)
  const combined = written.filter(({ actorId }) => actorId === 'system')
  expect(combined.map(({ count }) => count)).toEqual([expect.any(Number)])
  expect(combined[0]?.count).toBeGreaterThanOrEqual(1000)
})

it('refusals for the tokens of thousands of owners do not hide the refused use of a stolen token', async () => {
  const tokens = instance({ usage: { flushEvery: 0.02 }, deadline: '60s' })
  const made = await Promise.all(Array.from({ length: 2_200 }, (_, at) => mint(tokens, { ownerId: `owner-${at}` })))
  const victim = await mint(tokens, { tenantId: 'acme', allowedIps: ['192.0.2.1'] })
  for (const { record } of made) await tokens.system.revoke(record.id)
  for (const { token } of made) await tokens.verify(token, { ip: '203.0.113.9' })
  expect(await verdict(tokens.verify(victim.token, { ip: '198.51.100.66' }))).toBe('ip_denied')
  const ada = tokens.as({ id: 'ada', tenants: ['acme'], manages: 'all' })
  const seen = async (): Promise<readonly AuditEvent[]> => (await ada.events({ action: 'token.refused' })).items
  await until(async () => (await seen()).length === 1)
  expect((await seen())[0]).toMatchObject({ code: 'ip_denied', ip: '198.51.100.66', count: 1 })
})

it("an actor who names a huge number of tenants does not hide refused attempts by another tenant's actor", async () => {
  const tokens = instance()
  const inside = deciderOf(tokens) as Internals
  const mallory = tokens.as({ id: 'mallory', tenants: '*', manages: 'own', scopes: [] })
  for (let at = 0; at < 2_200; at += 1) {
    await mallory.create({ name: 'x', tenantId: `t${at}`, scopes: ['stock:read'] }).catch(() => undefined)
  }
  inside.noteAttempt({ attempt: 'create', code: 'grant_denied', actor: { id: 'eve', tenants: ['acme'], manages: 'own' } })
  const ada = tokens.as({ id: 'ada', tenants: ['acme'], manages: 'all' })
  const seen = async (): Promise<readonly string[]> => {
    await tokens.flush()
    return (await ada.events({ action: 'management.refused' })).items.map(({ actorId }) => actorId)
  }
  // A flush that is under way may have begun before the attempt.
  await until(async () => (await seen()).length > 0)
  expect(await seen()).toEqual(['eve'])
})

it("a hanging revocation of one lineage delays neither the counting of uses nor the revocation of another tenant's lineage", async () => {
  const order: string[] = []
  const held: (() => void)[] = []
  let holding = true
  const store = interceptStore(memoryStore(), async (call, proceed) => {
    if (call.method === 'revokeWhere' && holding) {
      order.push(JSON.stringify(call.args))
      await new Promise<void>((resolve) => held.push(resolve))
    }
    return proceed()
  })
  const tokens = instance({ store, usage: { flushEvery: 0.02 }, onReuse: 'revoke_lineage', deadline: '60s' })
  const rotated = async (tenantId: string) => {
    const first = await mint(tokens, { tenantId })
    await tokens.system.rotate(first.record.id)
    return first
  }
  const loud = await Promise.all(Array.from({ length: 20 }, () => rotated('loud')))
  const quiet = await rotated('quiet')
  const used = await mint(tokens)
  for (const { token } of loud) await tokens.verify(token)
  await until(async () => order.length === 1)
  await tokens.verify(quiet.token)
  await tokens.verify(used.token)
  await until(async () => (await tokens.system.usage(used.record.id)).total === 1)
  for (let next = 1; next <= 2; next += 1) {
    held[next - 1]?.()
    await until(async () => order.length === next + 1)
  }
  holding = false
  for (const release of held) release()
  expect(order.slice(1, 3).join()).toContain(quiet.record.id)
})
