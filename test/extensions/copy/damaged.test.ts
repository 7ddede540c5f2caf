import type { TokenStore } from 'latchkey'
import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { nodeOver } from './world.js'

/** A store that cannot read a field of the events of updates, over another store. */
function damagedStore(inner: TokenStore): TokenStore {
  return new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      if (key !== 'events') return value.bind(target)
      return async (...query: Parameters<TokenStore['events']>) => {
        const events = await target.events(...query)
        return events.map(({ after, ...event }) =>
          event.action === 'token.updated' ? { ...event, damaged: ['after'] } : { ...event, ...(after !== undefined && { after }) },
        )
      }
    },
  })
}

it('every run of copy() names the damaged events, even if an earlier run has already copied them', async () => {
  const old = nodeOver(damagedStore(memoryStore()))
  const { record } = await old.system.create({ name: 'T', scopes: ['stock:read'] })
  await old.system.update(record.id, { name: 'U' })
  const { items } = await old.system.events()
  const damaged = items.filter(({ action }) => action === 'token.updated').map(({ id }) => id)
  expect(damaged).toHaveLength(1)
  const now = nodeOver(memoryStore())
  const interrupted = copy(old, now, {
    onProgress: ({ part }) => {
      if (part === 'seals') throw new Error('killed')
    },
  })
  await expect(interrupted).rejects.toThrow('killed')
  for (const step of ['copy', 'fence', 'open'] as const) {
    const { damagedEvents, parts } = await copy(old, now, { step })
    expect([step, damagedEvents, parts?.events.written]).toEqual([step, damaged, 0])
  }
})

it('copy() does not name events that are damaged only in the new store', async () => {
  const old = nodeOver(memoryStore())
  const { record } = await old.system.create({ name: 'T', scopes: ['stock:read'] })
  await old.system.update(record.id, { name: 'U' })
  const now = nodeOver(damagedStore(memoryStore()))
  await copy(old, now)
  expect((await copy(old, now)).damagedEvents).toEqual([])
})
