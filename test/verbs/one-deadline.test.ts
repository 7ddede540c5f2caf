import { type LatchkeyOptions, latchkey, type TokenHandle } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore, type StoreMethod } from 'latchkey/testing'
import { describe, expect, it, vi } from 'vitest'
import { ending, onFakeTimers, SLOW_MS, slow, UNDECIDED } from '../support/slow-calls.js'

// The first call loads this module, which takes real time that fake timers do not control.
await import('../../src/verbs/by-name.js')

const WHOLE = { id: 'root', tenants: '*', manages: 'all' } as const

/** An instance over a store that answers each call to these methods just before the deadline. */
async function setUp(methods: readonly StoreMethod[], more: Partial<LatchkeyOptions> = {}) {
  const state = { late: false }
  const inner = memoryStore()
  const store = faultyStore(Object.assign(Object.create(inner), { placeEvents: async () => [] }), ({ method }) =>
    state.late && (methods as readonly string[]).includes(method) ? { do: 'delay', milliseconds: SLOW_MS } : undefined,
  )
  const errors: unknown[] = []
  const tokens = latchkey({
    prefix: 'acme_live',
    store,
    scopes: { 'a:b': 'x' },
    logger: false,
    deadline: '1s',
    onError: ({ where }) => errors.push(where),
    ...more,
  } as LatchkeyOptions)
  const made = await tokens.system.create({ name: 'n', scopes: ['a:b'], ownerId: 'o', tenantId: 't' })
  await tokens.flush()
  state.late = true
  return { tokens, store, state, errors, ...made }
}

onFakeTimers()

describe('one deadline for all store calls of a verb', () => {
  const ALL = ['find', 'list', 'commit', 'events', 'usage', 'placeEvents', 'recordUsage'] as const
  const verbs: { readonly [verb: string]: (handle: TokenHandle, id: string, token: string) => Promise<unknown> } = {
    update: (handle, id) => handle.update(id, { name: 'other' }),
    deactivate: (handle, id) => handle.deactivate(id),
    rotate: (handle, id) => handle.rotate(id),
    revoke: (handle, id) => handle.revoke(id, { reason: 'r' }),
    events: (handle, id) => handle.events({ tokenId: id }),
    usage: (handle, id) => handle.usage(id),
    usageOf: (handle, id) => handle.usageOf({ ids: [id], from: new Date(Date.now() - 3_600_000).toISOString() }),
    reportLeak: (handle, _, token) => handle.reportLeak({ token, action: 'revoke' }),
  }
  it.each(Object.keys(verbs))('ends %s at one deadline, however many store calls it makes', async (verb) => {
    const { tokens, record, token, errors } = await setUp(ALL)
    expect(await ending(() => verbs[verb]?.(tokens.as(WHOLE), record.id, token) ?? Promise.reject())).toEqual(UNDECIDED)
    expect(errors.length).toBeGreaterThan(0)
  })

  it('activate(), and explain() for a past time, each finish within a single deadline', async () => {
    const { tokens, record, state } = await setUp(ALL)
    const at = new Date()
    vi.setSystemTime(Date.now() + 60_000)
    state.late = false
    await tokens.system.deactivate(record.id)
    state.late = true
    expect(await ending(() => tokens.system.activate(record.id))).toEqual(UNDECIDED)
    expect(await ending(() => tokens.system.explain(record.id, { at }))).toEqual(UNDECIDED)
  })

  it('a list that takes several reads, and a preview of many tokens, each finish within a single deadline', async () => {
    const { tokens, store } = await setUp(['list'])
    store.behave()
    for (let count = 0; count < 250; count += 1) await tokens.system.create({ name: 'n', scopes: ['a:b'], ownerId: 'o', tenantId: 't' })
    store.behave({ list: { do: 'delay', milliseconds: SLOW_MS } })
    expect(await ending(() => tokens.system.list({ limit: 200 }))).toEqual(UNDECIDED)
    expect(await ending(() => tokens.system.ownerGone({ ownerId: 'o', dryRun: true }))).toEqual(UNDECIDED)
  })
})

it("a verb uses one deadline for the store and the host's callbacks together", async () => {
  const mayOwn = async () => {
    await slow()
    return true
  }
  const owner = async () => {
    await slow()
    return { scopes: ['a:b'] }
  }
  const { tokens, store } = await setUp(['commit'], { mayOwn, owner } as never)
  const actor = { ...WHOLE, scopes: ['a:b'] }
  expect(await ending(() => tokens.as(WHOLE).create({ name: 'n', scopes: ['a:b'], ownerId: 'p' }))).toEqual(UNDECIDED)
  expect(await ending(() => tokens.as(actor).create({ name: 'n', inherit: true, ownerId: 'p' }))).toEqual(UNDECIDED)
  store.behave()
  expect(await ending(() => tokens.as(WHOLE).create({ name: 'n', scopes: ['a:b'], ownerId: 'p' }))).toMatchObject({ after: SLOW_MS })
})

it('a verb that is past its deadline writes nothing', async () => {
  const { tokens, store, record } = await setUp(['find', 'placeEvents'])
  const commits = () => store.calls.filter(({ method }) => method === 'commit').length
  const before = commits()
  expect(await ending(() => tokens.system.update(record.id, { name: 'other' }))).toEqual(UNDECIDED)
  expect(commits()).toBe(before)
})

it('a change waits for another change to the same token only until its own deadline', async () => {
  const { tokens, record } = await setUp(['commit'])
  const first = tokens.system.update(record.id, { name: 'one' })
  await vi.advanceTimersByTimeAsync(500)
  // The second change reads the token, waits for the first change, and has no time left for its own commit.
  const second = await ending(() => tokens.system.update(record.id, { name: 'two' }))
  expect(await first).toMatchObject({ name: 'one' })
  expect(second).toEqual(UNDECIDED)
})

it.each(['revoke', 'rotate', 'deactivate'] as const)('%s is retried when the change that it waited for ran out of time', async (verb) => {
  const held = heldStore(memoryStore())
  const tokens = latchkey({ prefix: 'acme_live', store: held, scopes: { 'a:b': 'x' }, logger: false, deadline: '1s' })
  const { record } = await tokens.system.create({ name: 'n', scopes: ['a:b'] })
  held.hold('find', 'commit')
  const codeOf = (error: { code?: string }) => error.code
  const first = tokens.system.update(record.id, { name: 'slow' }).catch(codeOf)
  const read = await held.next('find')
  await vi.advanceTimersByTimeAsync(SLOW_MS)
  held.pass('find')
  await read.release()
  await held.next('commit')
  const second = tokens.system[verb](record.id).then(() => 'done', codeOf)
  await vi.advanceTimersByTimeAsync(10)
  held.pass('commit')
  await vi.advanceTimersByTimeAsync(200)
  expect(await first).toBe('store_unavailable')
  expect(await second).toBe('done')
})

it('waiting for other nodes does not count toward the deadline of the change, which still succeeds', async () => {
  const { tokens, record } = await setUp(['commit', 'changes', 'leases'])
  const ended = await ending(() => tokens.system.revoke(record.id, { waitForNodes: true }))
  expect(ended).toMatchObject({ value: { status: 'revoked' } })
})

it('allows a bulk revocation a minute to write, and a prune one deadline for each step', async () => {
  const { tokens, store } = await setUp([])
  store.behave({ revokeWhere: { do: 'delay', milliseconds: 5000 } })
  expect(await ending(() => tokens.system.revokeAll({ all: true }))).toMatchObject({ value: { count: 1 }, after: 5000 })
  store.behave({ list: { do: 'delay', milliseconds: SLOW_MS }, leases: { do: 'delay', milliseconds: SLOW_MS } })
  expect(await ending(() => tokens.system.prune({ before: new Date(Date.now() + 1) }))).toMatchObject({ value: {} })
})
