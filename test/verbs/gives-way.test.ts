import { latchkey, type TokenHandle, type TokenStore } from 'latchkey'
import { copy } from 'latchkey/copy'
import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { describe, expect, it, vi } from 'vitest'
import type { CreateOptions } from '../../src/model/transaction.js'
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

  it.each<[string, (handle: TokenHandle) => Promise<unknown>]>([
    ['create()', (handle) => handle.create({ name: 'made', scopes: [] })],
    ['create() with empty options', (handle) => handle.create({ name: 'made', scopes: [] }, {} as CreateOptions)],
    ['a create() whose options are refused', (handle) => handle.create({ name: 'made', scopes: [] }, null as never).catch(() => undefined)],
    ['get()', (handle) => handle.get('0'.repeat(16))],
    ['an update() that fails', (handle) => handle.update('0'.repeat(16), { name: 'renamed' }).catch(() => undefined)],
    ['events()', (handle) => handle.events({ limit: 1 })],
    ['revoke()', async (handle) => handle.revoke((await handle.create({ name: 'made', scopes: [] })).record.id)],
  ])('a loop that awaits %s again and again yields to requests', async (_name, call) => {
    const store = open()
    const handle = createHandle(() => context, SYSTEM)
    const context = await worn(store)
    const turns = await turnsDuring(async () => {
      for (let at = 0; at < 20; at += 1) await call(handle)
    })
    // About every second call yields, on a busy machine fewer of them. Without a yield, there is no turn at all.
    expect(turns).toBeGreaterThanOrEqual(5)
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
    ['import() of skipped rows', (handle) => handle.import(OLD, { format, map: () => undefined })],
    ['import() of expired rows', (handle) => handle.import(OLD, { format, map: (row) => ({ ...terms(row), expiresAt: BEGAN }) })],
    ['import() of rows that fail', (handle) => handle.import(OLD, { format, map: (row) => ({ ...terms(row), name: '' }) })],
  ])('%s yields to requests between its pages', async (_name, work) => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, SYSTEM)
    expect(await turnsDuring(() => work(handle))).toBeGreaterThanOrEqual(PAGES)
    await store.close?.()
  })

  it('erase() yields to requests while it erases one page of events', async () => {
    const store = open()
    const context = await worn(store)
    const handle = createHandle(() => context, SYSTEM)
    expect(await turnsDuring(() => handle.erase({ ownerId: 'bob' }))).toBeGreaterThanOrEqual(COUNT / 3)
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

  it.each<[string, (handle: TokenHandle, ids: string[]) => Promise<unknown>]>([
    ['usageOf()', (handle, ids) => handle.usageOf({ ids, from: BEGAN, to: BEGAN + 366 * 86_400_000, step: '366d' })],
    ['usage() in steps', (handle, [id = '']) => handle.usage(id, { from: BEGAN, to: BEGAN + 366 * 86_400_000, step: '366d' })],
  ])('%s yields to requests between its reads', async (_name, read) => {
    const store = open()
    const context = await worn(store)
    const listed = await store.list({ prefix: 'acme_test', now: BEGAN, limit: 10 })
    const ids = listed.map(({ id }) => id)
    const counts = Array.from({ length: 40_000 }, (_, at) => ({
      tokenId: ids[at < 35_000 ? 0 : at % 10] ?? '',
      bucketAt: BEGAN + (at % 8000) * 3_600_000,
      endpoint: `GET /${at % 7}`,
      outcome: 'allowed' as const,
      scope: '',
      count: 1,
    }))
    await store.recordUsage({ nodeId: 'node', seq: 1, at: BEGAN, counts, addresses: [], lastUses: [] })
    const handle = createHandle(() => context, SYSTEM)
    expect(await turnsDuring(() => read(handle, ids))).toBeGreaterThanOrEqual(3)
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

it.each<[string, (transaction: object) => CreateOptions]>([
  ['', (transaction) => ({ transaction })],
  [
    ' that a class passes',
    (transaction) =>
      new (class {
        get transaction() {
          return transaction
        }
      })(),
  ],
])('create() in a host transaction%s on SQLite never yields, because other work would run within it', async (_name, optionsOf) => {
  const database = new Database(':memory:')
  const context = await worn(sqliteStore({ database }))
  const handle = createHandle(() => context, SYSTEM)
  await handle.get('0'.repeat(16))
  const turns = await turnsDuring(async () => {
    database.exec('begin immediate')
    for (let at = 0; at < 5; at += 1) {
      await handle.create({ name: 'made', scopes: [] }, optionsOf(database))
    }
    database.exec('commit')
  })
  expect(turns).toBe(0)
  await context.store.close()
  database.close()
})

it('create() with options that throw when they are read rejects, and does not throw', async () => {
  const context = await worn(memoryStore())
  const handle = createHandle(() => context, SYSTEM)
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const made = handle.create({ name: 'made', scopes: [] }, proxy as CreateOptions)
  await expect(made).rejects.toBeInstanceOf(Error)
  await context.store.close()
})

it('create() reads its input before it returns, so that callers can reuse it', async () => {
  const store = memoryStore()
  const context = await worn(store)
  const handle = createHandle(() => context, SYSTEM)
  const input = { name: '', scopes: [] }
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, at) => {
      input.name = `token ${at}`
      return handle.create(input)
    }),
  )
  expect(made.map(({ record }) => record.name)).toEqual(Array.from({ length: 20 }, (_, at) => `token ${at}`))
  await context.store.close()
})

it('a loop of changes continues even if a test in the host application has replaced only setTimeout', async () => {
  const store = memoryStore()
  const context = await worn(store)
  const handle = createHandle(() => context, SYSTEM)
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  try {
    for (let at = 0; at < 5; at += 1) await handle.create({ name: 'made', scopes: [] })
  } finally {
    vi.useRealTimers()
  }
  await context.store.close()
})
