import type { TokenStore } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, vi } from 'vitest'
import { readOptions } from '../../src/options.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { upkeepOf } from '../../src/verbs/upkeep.js'
import { buildContext } from '../../src/verify/build-context.js'
import type { Context } from '../../src/verify/context.js'
import { SCOPES } from '../latchkey/harness.js'
import { storedEvent, storedToken } from '../support/records.js'

const COUNT = 2000
const BEGAN = Date.UTC(2020, 0, 1)
const STORES = [
  ['memory', memoryStore],
  ['SQLite', () => sqliteStore(':memory:')],
] as const

/** A node on a store with many tokens that were revoked long ago. Each look at its monotonic clock finds it 25 ms later. */
async function worn(store: TokenStore): Promise<Context> {
  let clock = 0
  const options = { prefix: 'acme_test', scopes: SCOPES, retention: { usage: '30d' }, deadline: '300s', logger: false } as const
  const settings = { ...readOptions({ ...options, store }), monotonic: () => (clock += 25) }
  await store.migrate?.()
  for (let from = 0; from < COUNT; from += 500) {
    const inserts = Array.from({ length: 500 }, () =>
      storedToken({ prefix: 'acme_test', createdAt: BEGAN, revokedAt: BEGAN + 1, revokedBy: 'a' }),
    )
    await store.commit({ inserts, events: [storedEvent({ prefix: 'acme_test' })] })
  }
  return buildContext(settings)
}

/** Returns how often other work had its turn meanwhile. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let waiting = setImmediate(function turn() {
    turns += 1
    waiting = setImmediate(turn)
  })
  try {
    await work()
    return turns
  } finally {
    clearImmediate(waiting)
  }
}

describe.each(STORES)('long work on %s, which answers at once', (_, open) => {
  it('upkeep that reads every token gives way to requests between its pages', async () => {
    const store = open()
    const context = await worn(store)
    const turns = await turnsDuring(() => Promise.all(upkeepOf(context).map((upkeep) => upkeep.look())))
    expect(turns).toBeGreaterThan(COUNT / 500)
    await store.close?.()
  })

  it("upkeep ends although a host's test replaced all timers", async () => {
    const store = open()
    const context = await worn(store)
    vi.useFakeTimers()
    try {
      await Promise.all(upkeepOf(context).map((upkeep) => upkeep.look()))
    } finally {
      vi.useRealTimers()
    }
    await store.close?.()
  })

  it('prune() gives way to requests between its pages', async () => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, SYSTEM)
    let count = 0
    const turns = await turnsDuring(async () => {
      count = (await handle.prune({ before: new Date(BEGAN + 2) })).count
    })
    expect(count).toBe(COUNT)
    expect(turns).toBeGreaterThan(COUNT / 500)
    await store.close?.()
  })
})
