import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { DAY, HOUR, node, START } from './notices-world.js'

const POLICY = { expiry: { unused: '180d' } } as const

describe('a notice about an unused token', () => {
  it('writes a notice about an unused token after 90 days, and again only after 90 more', async () => {
    const { make, use, look, told, clock, events } = node()
    const id = await make({ tenantId: 't1' })
    for (let days = 0; days < 250; days += 1) {
      clock.now += DAY
      if (days === 100) await use(id)
      await look()
    }
    expect(await told()).toEqual(['token.unused 90', 'token.unused 90'])
    expect(await events('token.unused')).toMatchObject([
      {
        tokenId: id,
        tenantId: 't1',
        actorId: 'system',
        details: { thresholdSeconds: 90 * 86_400, unusedSince: new Date(START).toISOString() },
      },
      { details: { unusedSince: new Date(START + 101 * DAY).toISOString() } },
    ])
  })

  it('counts unused time from the last use, the last change, and the instant when the token becomes valid', async () => {
    const { make, use, look, events, clock, handle } = node()
    const [used, changed, , later] = [await make(), await make(), await make(), await make({ notBefore: new Date(START + 50 * DAY) })]
    const [inactive, revoked, expired, replaced] = [await make(), await make(), await make({ expiresIn: '60d' }), await make()]
    await handle.deactivate(inactive)
    await handle.revoke(revoked)
    await handle.rotate(replaced, { overlap: '89d' })
    clock.now += 50 * DAY
    await use(used)
    await handle.update(changed, { name: 'new' })
    clock.now = START + 91 * DAY
    await look()
    // These are the untouched token and the successor.
    expect(await events('token.unused')).toHaveLength(2)
    clock.now = START + 141 * DAY
    await look()
    const told = (await events('token.unused')).map(({ tokenId }) => tokenId)
    expect(told).toHaveLength(5)
    expect(told).toEqual(expect.arrayContaining([used, changed, later]))
    for (const id of [inactive, revoked, expired, replaced]) expect(told).not.toContain(id)
  })

  it('writes one notice for each token that was already unused before the first check', async () => {
    let commits = 0
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      if (method === 'commit') commits += 1
      return proceed()
    })
    const { make, look, events, clock } = node({ store })
    for (let index = 0; index < 450; index += 1) await make()
    clock.now += 400 * DAY
    await look()
    expect(await events('token.unused')).toHaveLength(450)
    commits = 0
    for (let days = 0; days < 3; days += 1) {
      clock.now += DAY
      await look()
    }
    expect(commits).toBe(0)
  })

  it('notices about unused tokens start over when their threshold changes', async () => {
    const store = memoryStore()
    const first = node({ store })
    await first.make()
    first.clock.now += 60 * DAY
    await first.look()
    const second = node({ store, notices: { unused: '30d' } }, first.clock)
    await second.look()
    expect(await second.told()).toEqual(['token.unused 30'])
  })
})

describe('the expiry.unused option', () => {
  it('deactivates an unused token a week after a notice announces it', async () => {
    const { make, look, told, clock, events, handle } = node(POLICY)
    const id = await make()
    for (let days = 0; days < 186; days += 1) {
      clock.now += DAY
      await look()
    }
    expect(await told()).toEqual(['token.unused 90', 'token.unused 180'])
    expect((await events('token.unused'))[1]?.details).toEqual({
      thresholdSeconds: 180 * 86_400,
      unusedSince: new Date(START).toISOString(),
      deactivatesAt: new Date(START + 187 * DAY).toISOString(),
    })
    expect((await handle.get(id))?.status).toBe('active')
    clock.now += DAY
    await look()
    await look()
    expect(await handle.get(id)).toMatchObject({ status: 'inactive', deactivatedBy: 'system', deactivatedAt: new Date(clock.now) })
    expect(await events('token.deactivated')).toMatchObject([{ actorId: 'system', reason: 'unused', tokenId: id }])
  })

  it('allows a week for tokens that were unused for years when expiry.unused is turned on', async () => {
    const { make, look, clock, handle, events } = node(POLICY)
    const id = await make()
    clock.now += 1000 * DAY
    await look()
    clock.now += 6 * DAY
    await look()
    expect([await events('token.deactivated'), (await events('token.unused')).length]).toEqual([[], 1])
    clock.now += DAY
    await look()
    expect((await handle.get(id))?.status).toBe('inactive')
  })

  it('keeps a token active if it is used or changed within the week after its notice', async () => {
    const { make, use, look, clock, handle } = node(POLICY)
    const [used, changed] = [await make(), await make()]
    clock.now += 180 * DAY
    await look()
    clock.now += 3 * DAY
    await use(used)
    await handle.update(changed, { description: 'needed in winter' })
    for (let days = 0; days < 30; days += 1) {
      clock.now += DAY
      await look()
    }
    expect([(await handle.get(used))?.status, (await handle.get(changed))?.status]).toEqual(['active', 'active'])
  })

  it('counts the time without use from zero when a deactivated token is reactivated', async () => {
    const { make, look, clock, handle, told } = node(POLICY)
    const id = await make({ tenantId: 't1', ownerId: 'u1' })
    clock.now += 180 * DAY
    await look()
    clock.now += 7 * DAY
    await look()
    expect((await handle.get(id))?.deactivatedReach).toBeUndefined()
    await handle.activate(id)
    for (let days = 0; days < 170; days += 1) {
      clock.now += DAY
      await look()
    }
    expect((await handle.get(id))?.status).toBe('active')
    expect(await told()).toEqual(['token.unused 180', 'token.unused 90'])
    clock.now += 10 * DAY
    await look()
    clock.now += 7 * DAY
    await look()
    expect((await handle.get(id))?.status).toBe('inactive')
  })

  it('keeps an unused token active if a use is recorded while the token is checked', async () => {
    const inner = memoryStore()
    let meanwhile: (() => Promise<void>) | undefined
    const store = interceptStore(inner, async ({ method }, proceed) => {
      const answer = await proceed()
      if (method === 'events') await meanwhile?.()
      return answer
    })
    const { make, use, look, clock, handle, context } = node({ store, ...POLICY })
    const id = await make()
    clock.now += 180 * DAY
    await look()
    clock.now += 8 * DAY
    meanwhile = () => use(id)
    await look()
    expect((await handle.get(id))?.status).toBe('active')
    await context.flush()
  })

  it('reactivates a token if another node reports, with a delay, that the token was used before the deadline', async () => {
    const { make, use, look, clock, handle, events } = node(POLICY)
    const [late, unused, stopped] = [await make(), await make(), await make()]
    clock.now += 180 * DAY
    await look()
    clock.now += 8 * DAY
    await handle.deactivate(stopped)
    await look()
    expect((await handle.list({ status: 'inactive' })).items).toHaveLength(3)
    await use(late, clock.now - 1000)
    await use(stopped, clock.now - 1000)
    clock.now += 6 * HOUR
    await look()
    expect((await handle.list({ status: 'inactive' })).items.map(({ id }) => id).sort()).toEqual([unused, stopped].sort())
    expect(await events('token.activated')).toMatchObject([{ tokenId: late, actorId: 'system', reason: 'used' }])
  })

  it('deactivates each unused token once, even in a race with changes and other nodes', async () => {
    const store = memoryStore()
    const clock = { now: START }
    const nodes = [node({ store, ...POLICY }, clock), node({ store, ...POLICY }, clock), node({ store, ...POLICY }, clock)]
    const [first = node()] = nodes
    const ids = await Promise.all(Array.from({ length: 40 }, () => first.make()))
    clock.now += 180 * DAY
    await Promise.all(nodes.map((each) => each.look()))
    clock.now += 8 * DAY
    await Promise.all([
      ...nodes.map((each) => each.look()),
      ...ids.slice(0, 20).map((id, index) => first.handle.update(id, { name: `Token ${index}` })),
    ])
    const events = await first.events('token.deactivated')
    expect(new Set(events.map(({ tokenId }) => tokenId)).size).toBe(events.length)
    expect(events.length).toBeGreaterThanOrEqual(20)
  })

  it('keeps tokens in use active despite a node whose clock is a year ahead', async () => {
    const store = memoryStore()
    const [right, wrong] = [node({ store, ...POLICY }), node({ store, ...POLICY })]
    const id = await right.make()
    await right.look()
    wrong.clock.now = START + 365 * DAY
    await wrong.look()
    for (let days = 0; days < 150; days += 1) {
      right.clock.now += DAY
      if (days % 3 === 0) await right.use(id)
      await right.look()
    }
    expect((await right.handle.get(id))?.status).toBe('active')
    expect(await right.events('token.deactivated')).toEqual([])
  })

  it('reads unused tokens in bounded pages, and stops if another node took over', async () => {
    const store = memoryStore()
    const list = vi.spyOn(store, 'list')
    const { make, context, clock } = node({ store, ...POLICY })
    for (let index = 0; index < 450; index += 1) await make()
    clock.now += 100 * DAY
    const { watchIdle } = await import('../../src/verbs/idle.js')
    const times = { now: clock.now, since: 0, sure: clock.now }
    // Asked before each page of 200 tokens and before each token: it stops before the third page, and in the middle of the second one.
    for (const most of [402, 300]) {
      list.mockClear()
      let asked = 0
      const done = await watchIdle(context, times, async () => ++asked <= most)
      expect([done, list.mock.calls.length]).toEqual([false, 2])
    }
    list.mockClear()
    expect([await watchIdle(context, times, async () => true), list.mock.calls.length]).toEqual([true, 3])
  })
})
