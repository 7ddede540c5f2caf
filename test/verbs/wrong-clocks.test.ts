import type { FaultReport } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { everyStore } from '../support/every-store.js'
import { DAY, HOUR, MINUTE, type Node, node, START } from './notices-world.js'

const YEAR = 365 * DAY
const HARSH = { retention: { dead: '1h', events: '1h', usage: '1h', addresses: '1h' } } as const
const UNUSED = { retention: { dead: '1h' }, expiry: { unused: '2d' } } as const

/** Advances the time of all nodes, in steps as short as the nodes check. */
async function pass(nodes: readonly Node[], ms: number, step = 20 * MINUTE): Promise<void> {
  for (let passed = 0; passed < ms; passed += step) {
    for (const { clock } of nodes) clock.now += step
    for (const each of nodes) await each.look()
  }
}

describe.each(await everyStore())('a wrong clock on $kind', ({ kind, skip, place }) => {
  it.skipIf(skip)(
    'a node whose clock is a year ahead removes no valid data while another node has the right time',
    async () => {
      const open = await place()
      const opened = (): ReturnType<typeof open> => {
        const store = open()
        onTestFinished(() => Promise.resolve(store.close?.()))
        return store
      }
      const right = node({ store: opened(), ...HARSH })
      const wrong = node({ store: opened(), ...HARSH })
      wrong.clock.now = START + YEAR
      const [live, used, dead] = [await right.make({ expiresIn: '90d' }), await right.make(), await right.make()]
      await right.handle.revoke(dead)
      await right.use(used)
      const { cursor } = await right.store.changes(undefined, 1)
      await right.store.renewLease({ nodeId: right.context.nodeId(), cursor, expiresAt: START + 90_000 })
      await wrong.look()
      await right.look()
      await pass([wrong, right], 3 * HOUR)
      const recent = await right.make()
      await pass([right, wrong], 40 * MINUTE, 10 * MINUTE)
      const statuses = await Promise.all([live, used, recent].map(async (id) => (await right.handle.get(id))?.status))
      expect(statuses).toEqual(['active', 'active', 'active'])
      expect(await right.handle.get(dead)).toBeUndefined()
      expect((await right.handle.usage(used)).lastUsedAt).toEqual(new Date(START))
      const told = (await right.events()).filter(({ tokenId }) => tokenId === recent)
      expect(told.map(({ action }) => action)).toContain('token.created')
    },
    120_000,
  )

  it.skipIf(skip)(
    'a single node with a wrong clock removes no valid data if the database has a clock',
    async () => {
      const open = await place()
      const heard: string[] = []
      const onError = ({ where, error }: FaultReport): unknown => heard.push(`${where}: ${error.message}`)
      const opened = (): ReturnType<typeof open> => {
        const store = open()
        onTestFinished(() => Promise.resolve(store.close?.()))
        return store
      }
      const clock = { now: Date.now() }
      const lone = node({ store: opened(), ...HARSH, onError }, clock)
      const [live, used] = [await lone.make({ expiresIn: '90d' }), await lone.make()]
      await lone.use(used)
      await lone.look()
      clock.now += YEAR
      await lone.look()
      await pass([lone], 3 * HOUR)
      // A restarted node sees the timestamps that its wrong clock has written.
      const again = node({ store: opened(), ...HARSH, onError }, clock)
      await pass([again], 3 * HOUR)
      const hasClock = ['postgres', 'mysql', 'redis'].includes(kind)
      const kept = await lone.handle.get(live)
      expect(kept !== undefined).toBe(hasClock)
      expect(heard.some((line) => /^clock: the clock of this node is \d+ minutes ahead of the database's/.test(line))).toBe(hasClock)
      if (!hasClock) return
      expect((await lone.events('token.created')).map(({ tokenId }) => tokenId)).toEqual([live, used])
      await expect(lone.handle.prune({ before: new Date(clock.now - 100 * DAY) })).rejects.toMatchObject({
        code: 'invalid_input',
        field: 'before',
        message: expect.stringContaining('the clock of the database'),
      })
    },
    120_000,
  )
})

describe('a wrong clock', () => {
  it.each([
    ['a year ahead', YEAR],
    ['two hours ahead', 2 * HOUR],
    ['half an hour ahead', HOUR / 2],
    ['a year behind', -YEAR],
  ])('neither deactivates nor removes a token in use while the clock of another node is %s', async (_, off) => {
    const store = memoryStore()
    const heard: string[] = []
    const onError = ({ where, error }: FaultReport): unknown => heard.push(`${where}: ${error.message}`)
    const [right, wrong] = [node({ store, ...UNUSED, onError }), node({ store, ...UNUSED, onError })]
    wrong.clock.now = START + off
    const used = await right.make()
    await right.look()
    for (let days = 0; days < 20; days += 1) {
      await right.use(used)
      const ending = await right.make({ expiresIn: '61m' })
      await pass([wrong, right], HOUR)
      expect((await right.handle.get(ending))?.status).toBe('active')
      await pass([right, wrong], 23 * HOUR, HOUR / 2)
    }
    expect((await right.handle.get(used))?.status).toBe('active')
    expect(await right.events('token.deactivated')).toEqual([])
    // A node that is far behind delays removals, and this is reported to the host.
    if (off > 0) expect((await right.events('token.pruned')).length).toBeGreaterThan(10)
    if (Math.abs(off) > HOUR) expect(heard[0]).toMatch(/^clock: the clock of another node is \d+ minutes ahead/)
  })

  it("removes nothing if a node's clock jumps ahead and another node has been seen", async () => {
    const store = memoryStore()
    const [right, jumping] = [node({ store, ...HARSH }), node({ store, ...HARSH })]
    const id = await right.make({ expiresIn: '90d' })
    await jumping.look()
    const { cursor } = await store.changes(undefined, 1)
    await store.renewLease({ nodeId: right.context.nodeId(), cursor, expiresAt: START + 90_000 })
    await pass([jumping, right], 3 * HOUR)
    jumping.clock.now += YEAR
    await jumping.look()
    await pass([jumping, right], 3 * HOUR)
    expect((await right.handle.get(id))?.status).toBe('active')
  })

  it('retention uses the clock of the node if no other node is known', async () => {
    const { make, look, handle, clock } = node(HARSH)
    const id = await make({ expiresIn: '1d' })
    await look()
    clock.now += 2 * DAY
    await look()
    expect(await handle.get(id)).toBeUndefined()
  })

  it('retention delays removals for an hour after a period in which no node ran', async () => {
    const store = memoryStore()
    const before = node({ store, ...HARSH })
    const id = await before.make({ expiresIn: '1d' })
    await before.look()
    const after = node({ store, ...HARSH }, { now: START + 30 * DAY })
    await after.look()
    expect(await after.handle.get(id)).toBeDefined()
    after.clock.now += HOUR
    await after.look()
    expect(await after.handle.get(id)).toBeUndefined()
  })

  it('refuses to prune by a wrong clock if another node is known', async () => {
    const store = memoryStore()
    const [right, wrong] = [node({ store }), node({ store }, { now: START + YEAR })]
    const [live, dead] = [await right.make({ expiresIn: '90d' }), await right.make()]
    await right.handle.revoke(dead)
    const { cursor } = await store.changes(undefined, 1)
    await store.renewLease({ nodeId: right.context.nodeId(), cursor, expiresAt: START + 90_000 })
    const before = new Date(wrong.clock.now - 100 * DAY)
    await expect(wrong.handle.prune({ before })).rejects.toMatchObject({ code: 'invalid_input', field: 'before' })
    right.clock.now += MINUTE
    expect(await right.handle.prune({ before: new Date(right.clock.now) })).toEqual({ count: 1 })
    expect((await right.handle.get(live))?.status).toBe('active')
    await store.renewLease({ nodeId: right.context.nodeId(), cursor, expiresAt: 0 })
    expect(await wrong.handle.prune({ before })).toEqual({ count: 1 })
  })
})
