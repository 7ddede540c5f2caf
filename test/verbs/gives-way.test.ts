import { latchkey, type TokenHandle, type TokenStore } from 'latchkey'
import { copy } from 'latchkey/copy'
import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, vi } from 'vitest'
import { readOptions } from '../../src/options.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { upkeepOf } from '../../src/verbs/upkeep.js'
import { buildContext } from '../../src/verify/build-context.js'
import type { Context } from '../../src/verify/context.js'
import { IMPORT_KEY, oldToken, terms } from '../imports/world.js'
import { SCOPES } from '../latchkey/harness.js'
import { storedEvent, storedToken } from '../support/records.js'

const COUNT = 2000
/** The minimum number of pages in a pass over this many tokens. */
const PAGES = COUNT / 500
const OLD = Array.from({ length: COUNT }, (_, id) => oldToken(id).row)
const format = sha256Tokens({ name: 'old', prefix: 'sk_', length: 35 })
const BEGAN = Date.UTC(2020, 0, 1)
const STORES = [
  ['memory', memoryStore],
  ['SQLite', () => sqliteStore(':memory:')],
] as const

/** A node on a store with many tokens that were revoked long ago. Each reading of its monotonic clock is 25 ms later. */
async function worn(store: TokenStore): Promise<Context> {
  let clock = 0
  const imports = { key: IMPORT_KEY, formats: [format] }
  const options = { prefix: 'acme_test', scopes: SCOPES, imports, retention: { usage: '30d' }, deadline: '300s', logger: false } as const
  const settings = { ...readOptions({ ...options, store }), monotonic: () => (clock += 25) }
  await store.migrate?.()
  for (let from = 0; from < COUNT; from += 500) {
    const inserts = Array.from({ length: 500 }, () =>
      storedToken({ prefix: 'acme_test', createdAt: BEGAN, revokedAt: BEGAN + 1, revokedBy: 'a', ownerId: 'bob', createdBy: 'bob' }),
    )
    const events = inserts.map(({ id: tokenId }) => storedEvent({ prefix: 'acme_test', tokenId, actorId: 'bob' }))
    await store.commit({ inserts, events })
  }
  return buildContext(settings)
}

/** Returns how often other work ran in the meantime. */
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

describe.each(STORES)('long work on %s, which answers synchronously', (_, open) => {
  it('upkeep that reads every token yields to requests between its pages', async () => {
    const store = open()
    const context = await worn(store)
    const turns = await turnsDuring(() => Promise.all(upkeepOf(context).map((upkeep) => upkeep.look())))
    expect(turns).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it('upkeep finishes even if a test in the host application has replaced all timers', async () => {
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

  it('prune() yields to requests between its pages', async () => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, SYSTEM)
    let count = 0
    const turns = await turnsDuring(async () => {
      count = (await handle.prune({ before: new Date(BEGAN + 2) })).count
    })
    expect(count).toBe(COUNT)
    expect(turns).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it('prune() removes usage in small batches, and yields to requests between them', async () => {
    const HOURS = 2_000
    const store = open()
    const context = await worn(store)
    const [used] = await store.list({ prefix: 'acme_test', now: BEGAN, limit: 1 })
    const tokenId = used?.id ?? ''
    const counts = Array.from({ length: HOURS }, (_, hour) => ({
      tokenId,
      bucketAt: BEGAN + hour * 3_600_000,
      endpoint: 'GET /',
      outcome: 'allowed' as const,
      scope: '',
      count: 1,
    }))
    await store.recordUsage({ nodeId: 'node', seq: 1, at: BEGAN, counts, addresses: [], lastUses: [] })
    const handle = createHandle(() => context, SYSTEM)
    const turns = await turnsDuring(() => handle.prune({ before: new Date(BEGAN + 2) }))
    expect(turns).toBeGreaterThanOrEqual(PAGES + HOURS / 200)
    expect(await store.usage({ tokenIds: [tokenId] })).toEqual({ counts: [], addresses: [] })
    await store.close?.()
  })

  it.each<[string, (handle: TokenHandle) => Promise<unknown>]>([
    ['erase()', (handle) => handle.erase({ ownerId: 'bob' })],
    ['sealAudit()', (handle) => handle.sealAudit()],
    ['verifyAudit()', (handle) => handle.verifyAudit()],
    [
      'exportAudit()',
      async (handle) => {
        for await (const _ of handle.exportAudit());
      },
    ],
    ['import()', (handle) => handle.import(OLD, { format, map: terms })],
    ['import() in a dry run', (handle) => handle.import(OLD, { format, map: terms, dryRun: true })],
  ])('%s yields to requests between its pages', async (_name, work) => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, SYSTEM)
    expect(await turnsDuring(() => work(handle))).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it.each(['tenants', 'owners'] as const)('%s() yields to requests while it reads the tokens that its actor can see', async (verb) => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, { ...SYSTEM, id: 'bob', manages: 'own' })
    expect(await turnsDuring(() => handle[verb]())).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it('explain() for a past time yields to requests between its reads of large changes', async () => {
    const store = open()
    const handle = createHandle(await worn(store).then((context) => () => context), SYSTEM)
    const { record } = await handle.create({ name: 'x', scopes: ['stock:read'] })
    const at = new Date()
    await new Promise((resolve) => setTimeout(resolve, 5))
    for (let turn = 0; turn < 60; turn += 1) {
      const values = Array.from({ length: 1000 }, (_, value) => `${turn}-${value}`.padEnd(50, 'x'))
      await handle.update(record.id, { resources: { warehouse: values } })
    }
    expect(await turnsDuring(() => handle.explain(record.id, { at }))).toBeGreaterThanOrEqual(4)
    await store.close?.()
  })

  it('a dry run of ownerGone() yields to requests between its pages', async () => {
    const store = open()
    const context = await worn(store)
    const inserts = Array.from({ length: COUNT }, () => storedToken({ prefix: 'acme_test', ownerId: 'eve' }))
    await store.commit({ inserts, events: [storedEvent({ prefix: 'acme_test' })] })
    const handle = createHandle(() => context, SYSTEM)
    expect(await turnsDuring(() => handle.ownerGone({ ownerId: 'eve', dryRun: true }))).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it('copy() yields to requests between its pages', async () => {
    const stores = [open(), open()] as const
    await worn(stores[0])
    const [from, to] = stores.map((store) => latchkey({ prefix: 'acme_test', scopes: SCOPES, store, logger: false, notices: false }))
    let clock = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => (clock += 25))
    try {
      expect(await turnsDuring(() => copy(from!, to!))).toBeGreaterThanOrEqual(PAGES)
    } finally {
      now.mockRestore()
    }
    await Promise.all([from?.close(), to?.close()])
  })
})
