import { describe, expect, it, onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { everyStore } from '../support/every-store.js'
import { DAY, HOUR, node, START } from './notices-world.js'

describe.each(await everyStore())('notices on $kind', ({ skip, place }) => {
  const POLICY = { expiry: { unused: '180d' } } as const

  async function openers(): Promise<() => TokenStore> {
    const open = await place()
    return () => {
      const store = open()
      onTestFinished(() => Promise.resolve(store.close?.()))
      return store
    }
  }

  it.skipIf(skip)('writes each notice once if two nodes check at the same time while clocks step', async () => {
    const open = await openers()
    const clock = { now: START }
    const nodes = [node({ store: open(), ...POLICY }, clock), node({ store: open(), ...POLICY }, clock)]
    const [first = node()] = nodes
    for (let index = 0; index < 60; index += 1) await first.make({ expiresIn: '8d', rotateEvery: '3d' })
    const steps = [0, DAY, DAY, -2 * DAY, 3 * DAY, HOUR, 4 * DAY, -DAY, DAY, 2 * DAY]
    for (const step of steps) {
      clock.now += step
      await Promise.all(nodes.map((each) => each.look()))
      await Promise.all(nodes.map((each) => each.look()))
    }
    const told = await first.told()
    const counts = ['token.expiring 7', 'token.rotation_due', 'token.expiring 1', 'token.expired'].map(
      (what) => told.filter((each) => each === what).length,
    )
    expect([counts, told.length]).toEqual([[60, 60, 60, 60], 240])
  })

  it.skipIf(skip)(
    'writes each notice once if a node dies between writing notices and saving its progress',
    async () => {
      const open = await openers()
      const clock = { now: START }
      let dies = false
      const dying = interceptStore(open(), async ({ method }, proceed) => {
        if (dies && method === 'saveConsumer' && told > 0) throw new Error('killed')
        const answer = await proceed()
        if (method === 'commit') told += 1
        return answer
      })
      let told = 0
      const first = node({ store: dying, ...POLICY }, clock)
      const ids: string[] = []
      for (let index = 0; index < 120; index += 1) ids.push(await first.make({ expiresIn: '40d' }))
      await first.look()
      clock.now += 11 * DAY
      told = 0
      dies = true
      await expect(first.look()).rejects.toThrow()
      // The second node must wait until the claim of the dead node has run out.
      let passed = 0
      const second = node({ store: open(), ...POLICY }, clock, () => performance.now() + passed)
      const behind = async (): Promise<boolean> =>
        (await second.store.consumers('acme_test')).some(({ name, position }) => name === '.notices' && position < clock.now)
      while (await behind()) {
        await second.look()
        passed += 1_000
      }
      const events = await second.events('token.expiring')
      expect([events.length, new Set(events.map(({ tokenId }) => tokenId)).size]).toEqual([120, 120])
    },
    30_000,
  )

  it.skipIf(skip)('writes each notice once if nodes move an expiry back and forth during a check, and a response is lost', async () => {
    const open = await openers()
    const clock = { now: START }
    let lost = false
    const losing = interceptStore(open(), async ({ method }, proceed) => {
      if (!lost || method !== 'commit') return await proceed()
      lost = false
      await proceed()
      throw new Error('the response was lost')
    })
    const nodes = [node({ store: open(), ...POLICY }, clock), node({ store: losing, ...POLICY }, clock)]
    const [first = node(), second = node()] = nodes
    const ids = await Promise.all(Array.from({ length: 10 }, () => first.make({ expiresIn: '90d' })))
    await first.look()
    clock.now += HOUR
    const end = new Date(clock.now + 5 * DAY)
    for (const id of ids) {
      lost = true
      await Promise.all([
        first.handle.update(id, { expiresAt: end }),
        second.handle.update(id, { expiresAt: end }).catch(() => undefined),
        second.look().catch(() => undefined),
      ])
      lost = false
      await Promise.all([first.handle.update(id, { expiresIn: '60d' }), second.handle.update(id, { expiresAt: end, name: 'New' })])
      await first.handle.update(id, { expiresAt: end })
    }
    clock.now += HOUR
    await Promise.all(nodes.map((each) => each.look()))
    const events = await second.events('token.expiring')
    expect([events.length, new Set(events.map(({ tokenId }) => tokenId)).size]).toEqual([10, 10])
  })

  it.skipIf(skip)('writes notices about unused tokens and old tokens in use, and deactivates a token that stays unused', async () => {
    const open = await openers()
    const { make, use, look, told, clock, handle } = node({ store: open(), ...POLICY })
    const [unused, used, old] = [await make(), await make(), await make()]
    await look()
    await handle.rotate(old, { overlap: '7d' })
    clock.now += 6 * DAY + HOUR
    await use(old)
    await look()
    clock.now = START + 181 * DAY
    await look()
    await use(used)
    clock.now += 7 * DAY
    await look()
    expect([(await handle.get(unused))?.status, (await handle.get(used))?.status]).toEqual(['inactive', 'active'])
    expect((await told()).sort()).toEqual(['token.old_still_used 1', ...Array(3).fill('token.unused 180')])
  })
})
