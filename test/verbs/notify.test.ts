import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { instance } from '../latchkey/harness.js'
import { DAY, HOUR, MINUTE, node, START } from './notices-world.js'

describe('a notice about a token that is about to expire', () => {
  it('writes a notice 30, 7 and 1 days before a token expires, and when it expires, once each', async () => {
    const { make, look, told, clock, events } = node()
    const id = await make({ expiresIn: '90d', ownerId: 'u7', tenantId: 't1' })
    for (let hours = 0; hours < 24 * 92; hours += 6) {
      clock.now += 6 * HOUR
      await look()
    }
    expect(await told()).toEqual(['token.expiring 30', 'token.expiring 7', 'token.expiring 1', 'token.expired'])
    const [first] = await events('token.expiring')
    expect(first).toMatchObject({
      at: new Date(START + 60 * DAY),
      actorId: 'system',
      tokenId: id,
      tenantId: 't1',
      ownerId: 'u7',
      details: { thresholdSeconds: 30 * 86_400, expiresAt: new Date(START + 90 * DAY).toISOString() },
    })
    expect((await events('token.expired'))[0]).toMatchObject({
      tokenId: id,
      details: { expiresAt: new Date(START + 90 * DAY).toISOString() },
    })
  })

  it('writes notices only at thresholds shorter than the life of the token', async () => {
    const { make, look, told, clock } = node()
    await look()
    clock.now += MINUTE
    await make({ expiresIn: '5d' })
    await make({ expiresIn: '30d' })
    await look()
    expect(await told()).toEqual([])
    clock.now = START + 4 * DAY + HOUR
    await look()
    expect(await told()).toEqual(['token.expiring 1'])
    clock.now = START + 23 * DAY + HOUR
    await look()
    expect(await told()).toEqual(['token.expiring 1', 'token.expired', 'token.expiring 7'])
  })

  it('writes a notice only for the nearest threshold after a period without checks', async () => {
    const { make, look, told, clock } = node()
    await make({ expiresIn: '90d' })
    await look()
    clock.now += 85 * DAY
    await look()
    expect(await told()).toEqual(['token.expiring 7'])
    clock.now += 30 * DAY
    await look()
    expect(await told()).toEqual(['token.expiring 7', 'token.expired'])
  })

  it('writes no notice about tokens that ended before the first check', async () => {
    const { make, look, told, clock } = node()
    await make({ expiresIn: '2d' })
    await make({ expiresIn: '40d' })
    clock.now += 35 * DAY
    await look()
    expect(await told()).toEqual(['token.expiring 7'])
  })

  it('writes no expiry notice for tokens that were revoked, deactivated, rotated or pruned', async () => {
    const { make, look, told, clock, handle } = node()
    const ids = await Promise.all([1, 2, 3, 4].map(() => make({ expiresIn: '40d' })))
    const [revoked = '', inactive = '', rotated = '', pruned = ''] = ids
    await look()
    await handle.revoke(revoked)
    await handle.deactivate(inactive)
    await handle.rotate(rotated)
    await handle.revoke(pruned)
    await handle.prune({ before: new Date(clock.now + 1) })
    clock.now += 41 * DAY
    await look()
    // This is the successor of the rotated token.
    expect(await told()).toEqual(['token.expired'])
  })

  it('writes expiry notices again for a token whose expiry was moved', async () => {
    const { make, look, told, clock, handle, events } = node({ notices: { unused: false } })
    const id = await make({ expiresIn: '40d' })
    await look()
    clock.now += 34 * DAY
    await look()
    await handle.update(id, { expiresIn: '100d' })
    await look()
    expect(await told()).toEqual(['token.expiring 7'])
    clock.now += 71 * DAY
    await look()
    clock.now += 24 * DAY
    await look()
    expect(await told()).toEqual(['token.expiring 7', 'token.expiring 30', 'token.expiring 7'])
    expect(new Set((await events('token.expiring')).map(({ id }) => id)).size).toBe(3)
  })
})

describe('a change that moves an instant past a threshold', () => {
  it('writes the nearest notice together with a changed expiry, once, whatever changes afterward', async () => {
    const { make, look, told, clock, handle, events } = node()
    const id = await make({ expiresIn: '90d', ownerId: 'ada' })
    await look()
    clock.now += HOUR
    const end = clock.now + 5 * DAY
    await handle.update(id, { expiresAt: new Date(end) })
    expect(await told()).toEqual(['token.expiring 7'])
    expect((await events('token.expiring'))[0]).toMatchObject({
      actorId: 'system',
      tokenId: id,
      ownerId: 'ada',
      details: { thresholdSeconds: 7 * 86_400, expiresAt: new Date(end).toISOString() },
    })
    await handle.update(id, { name: 'New' })
    await handle.deactivate(id)
    await handle.activate(id)
    await handle.update(id, { expiresIn: '60d' })
    // The expiry moves back to an instant whose notice was already written.
    await handle.update(id, { expiresAt: new Date(end) })
    await look()
    expect(await told()).toEqual(['token.expiring 7'])
    clock.now = end - HOUR
    await look()
    clock.now = end
    await look()
    expect(await told()).toEqual(['token.expiring 7', 'token.expiring 1', 'token.expired'])
  })

  it('changes to tokens that expire far in the future or were created for five days cause no expiry notice', async () => {
    const { make, look, told, handle, clock } = node()
    const [short, long] = [await make({ expiresIn: '5d' }), await make({ expiresIn: '90d' })]
    await look()
    clock.now += HOUR
    await handle.update(long, { expiresIn: '40d' })
    await handle.update(short, { name: 'New' })
    await handle.deactivate(short)
    await handle.activate(short)
    expect(await told()).toEqual([])
  })

  it('writes a notice that became due while the token was inactive once the token is active again', async () => {
    const { make, look, told, handle, clock } = node({ notices: { unused: false } })
    const id = await make({ expiresIn: '90d', rotateEvery: '10d' })
    await look()
    await handle.deactivate(id)
    clock.now += 85 * DAY
    await look()
    expect(await told()).toEqual([])
    await handle.activate(id)
    await look()
    expect((await told()).sort()).toEqual(['token.expiring 7', 'token.rotation_due'])
  })

  it('writes a notice about an old token in use when its overlap is shortened, and none about an unused token', async () => {
    const { make, look, told, use, handle, clock } = node()
    const [used, unused] = [await make(), await make()]
    for (const id of [used, unused]) await handle.rotate(id, { overlap: '7d' })
    await look()
    clock.now += DAY
    await use(used)
    for (const id of [used, unused]) await handle.update(id, { expiresIn: '10h' })
    await look()
    expect(await told()).toEqual(['token.old_still_used 1'])
  })

  it('writes the notice for a change even if the current check has already passed the token', async () => {
    const clock = { now: START }
    const store = memoryStore()
    const ahead = { now: START }
    const [editor, looker] = [node({ store }, clock), node({ store }, ahead)]
    const id = await editor.make({ expiresIn: '90d' })
    await looker.look()
    // This node checks with a clock that is ahead, before the change is made.
    ahead.now = clock.now + 2 * MINUTE
    await looker.look()
    clock.now = ahead.now - MINUTE
    await editor.handle.update(id, { expiresAt: new Date(ahead.now + 7 * DAY - 1000) })
    ahead.now += 2 * MINUTE
    await looker.look()
    expect(await editor.told()).toEqual(['token.expiring 7'])
  })

  it('writes no notice for a change if notices are off', async () => {
    const silent = node({ notices: false })
    await silent.handle.update(await silent.make({ expiresIn: '90d' }), { expiresIn: '5d' })
    expect(await silent.told()).toEqual([])
  })
})

describe('a notice that rotation is due', () => {
  it('writes one notice each time rotation is due, and none for tokens that cannot be rotated', async () => {
    const { make, look, told, clock, handle, events } = node()
    const id = await make({ rotateEvery: '1h' })
    await handle.deactivate(await make({ rotateEvery: '1h' }))
    await look()
    clock.now += HOUR
    await look()
    clock.now += HOUR
    await look()
    expect(await told()).toEqual(['token.rotation_due'])
    expect(await events('token.rotation_due')).toMatchObject([
      { tokenId: id, details: { rotationDueAt: new Date(START + HOUR).toISOString() } },
    ])
    await handle.rotate(id)
    clock.now += HOUR
    await look()
    expect(await told()).toEqual(['token.rotation_due', 'token.rotation_due'])
  })

  it('commits nothing for 10,200 tokens that already have their notices', async () => {
    let commits = 0
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      if (method === 'commit') commits += 1
      return proceed()
    })
    const list = vi.spyOn(store, 'list')
    const { make, look, events, clock } = node({ store })
    for (let index = 0; index < 10_200; index += 1) await make({ rotateEvery: '1h' })
    clock.now += HOUR
    commits = 0
    await look()
    expect(await events('token.rotation_due')).toHaveLength(10_200)
    expect(commits).toBeLessThan(300)
    for (let sweeps = 0; sweeps < 5; sweeps += 1) {
      commits = 0
      list.mockClear()
      clock.now += MINUTE
      await look()
      expect([commits, (await Promise.all(list.mock.results.map(({ value }) => value))).flat()]).toEqual([0, []])
    }
  })
})

describe('a notice about an old token that is still used', () => {
  it('writes a notice shortly before an overlap ends if the old token is still used, and none once its callers have switched', async () => {
    const { make, use, look, told, clock, handle, events } = node()
    const [still, switched, never] = [await make(), await make(), await make()]
    const successors = await Promise.all([still, switched, never].map((id) => handle.rotate(id, { overlap: '7d' })))
    await look()
    await use(switched, clock.now + DAY)
    clock.now += 6 * DAY
    await use(still, clock.now - HOUR)
    await look()
    expect(await told()).toEqual(['token.old_still_used 1'])
    expect(await events('token.old_still_used')).toMatchObject([
      {
        tokenId: still,
        details: {
          thresholdSeconds: 86_400,
          expiresAt: new Date(START + 7 * DAY).toISOString(),
          lastUsedAt: new Date(START + 6 * DAY - HOUR).toISOString(),
          successorId: successors[0]?.record.id,
        },
      },
    ])
    await use(still)
    clock.now += 23 * HOUR + MINUTE
    await look()
    clock.now += DAY
    await look()
    expect((await told()).filter((each) => each !== 'token.expired')).toEqual(['token.old_still_used 1', `token.old_still_used ${1 / 24}`])
    expect(await told()).not.toContain('token.expired')
  })

  it('writes a notice one hour before a short overlap ends, or none at all', async () => {
    const { make, use, look, told, clock, handle } = node()
    const [hours, minutes] = [await make(), await make()]
    await look()
    await handle.rotate(hours, { overlap: '6h' })
    await handle.rotate(minutes, { overlap: '30m' })
    for (let steps = 0; steps < 40; steps += 1) {
      clock.now += 10 * MINUTE
      await use(hours)
      await use(minutes)
      await look()
    }
    expect(await told()).toEqual([`token.old_still_used ${1 / 24}`])
  })
})

describe('notices', () => {
  it('writes each notice from only one of many nodes that check at the same time', async () => {
    const store = memoryStore()
    const clock = { now: START }
    const nodes = Array.from({ length: 5 }, () => node({ store }, clock))
    const [first = node()] = nodes
    for (let index = 0; index < 120; index += 1) await first.make({ expiresIn: '8d' })
    for (let days = 0; days < 10; days += 1) {
      await Promise.all(nodes.map((each) => each.look()))
      clock.now += DAY
    }
    const told = await first.told()
    expect([told.length, new Set((await first.events()).map(({ id }) => id)).size]).toEqual([360, 480])
  })

  it('passes notices to onEvent', async () => {
    const seen: string[] = []
    const { make, look, clock } = node({ onEvent: ({ action }) => seen.push(action) })
    await make({ expiresIn: '2d' })
    await look()
    clock.now += DAY + 1
    await look()
    expect(seen).toEqual(['token.created', 'token.expiring'])
  })

  it('writes a notice on time or late, but never twice, however clocks step', async () => {
    const store = memoryStore()
    const [right, wrong] = [node({ store }), node({ store })]
    await right.make({ expiresIn: '100d' })
    await right.look()
    wrong.clock.now = START + 365 * DAY
    await wrong.look()
    for (let days = 0; days < 110; days += 1) {
      right.clock.now += DAY
      if (days % 10 === 0) {
        wrong.clock.now += 10 * DAY
        await wrong.look()
      }
      await right.look()
    }
    const told = await right.told()
    expect([told.length, new Set(told).size]).toEqual([new Set(told).size, told.length])
    expect(told).toContain('token.expired')
  })

  it('still writes new notices after the clock is set back', async () => {
    const { make, look, told, clock } = node()
    clock.now += 10 * DAY
    await look()
    clock.now = START
    await make({ expiresIn: '2d' })
    await look()
    clock.now += DAY
    await look()
    expect(await told()).toEqual(['token.expiring 1'])
  })

  it('writes no notices while the clock returns no valid time', async () => {
    const { make, look, told, clock, store } = node()
    await make({ expiresIn: '2d' })
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e18]) {
      clock.now = at
      await look()
    }
    expect(await told()).toEqual([])
    expect((await store.consumers('acme_test')).map(({ position }) => position).every((position) => position === 0)).toBe(true)
  })

  it('writes notices at the configured thresholds, or none if notices are off', async () => {
    const chosen = node({ notices: { expiring: ['60d', '3d'], expired: false, rotationDue: false } })
    const off = node({ notices: false })
    for (const { make, look, clock } of [chosen, off]) {
      await make({ expiresIn: '90d', rotateEvery: '30d' })
      await look()
      for (let days = 0; days < 92; days += 1) {
        clock.now += DAY
        await look()
      }
    }
    expect(await chosen.told()).toEqual(['token.expiring 60', 'token.expiring 3'])
    expect(await off.told()).toEqual([])
  })

  it('refuses inconsistent notice options', () => {
    for (const [notices, field] of [
      [true, 'notices'],
      [{ expiring: [] }, 'notices.expiring'],
      [{ expiring: '30d' }, 'notices.expiring'],
      [{ expiring: ['1s'] }, 'notices.expiring'],
      [{ expiring: Array.from({ length: 11 }, (_, index) => `${index + 1}d`) }, 'notices.expiring'],
      [{ oldStillUsed: ['soon'] }, 'notices.oldStillUsed'],
      [{ unused: '1h' }, 'notices.unused'],
      [{ expires: ['1d'] }, 'notices.expires'],
    ] as const) {
      expect(() => instance({ notices: notices as never }), field).toThrow(field)
    }
    expect(() => instance({ usage: false, notices: { unused: '90d' } })).toThrow('notices.unused')
    expect(() => instance({ usage: false, notices: { oldStillUsed: ['1d'] } })).toThrow('notices.oldStillUsed')
    expect(() => instance({ usage: false, expiry: { unused: '180d' } })).toThrow('expiry.unused')
    expect(() => instance({ retention: { events: '7d' }, expiry: { unused: '180d' } })).toThrow('expiry.unused')
    instance({ usage: false })
  })
})
