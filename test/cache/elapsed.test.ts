import { afterEach, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/stores/memory.js'
import { createElapsedClock } from '../../src/cache/elapsed.js'
import { latchkey, type TokenStore } from '../../src/index.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Both clocks, which only the test advances. */
const clocks = () => {
  const at = { monotonic: 1_000, wall: 1_700_000_000_000 }
  const elapsed = createElapsedClock(
    () => at.monotonic,
    () => at.wall,
  )
  const start = elapsed()
  return { at, passed: () => elapsed() - start }
}

it('elapsed time follows the monotonic clock while both clocks agree', () => {
  const { at, passed } = clocks()
  for (let turn = 0; turn < 1_000; turn += 1) {
    at.monotonic += 0.4
    at.wall += turn % 5 < 2 ? 1 : 0
    passed()
  }
  expect(passed()).toBeCloseTo(400, 6)
})

it('elapsed time includes the time during which the monotonic clock stood still', () => {
  const { at, passed } = clocks()
  at.wall += 3_600_000
  expect(passed()).toBe(3_600_000)
  at.monotonic += 10
  at.wall += 10
  expect(passed()).toBe(3_600_010)
})

it('never reduces the elapsed time if the wall clock is set back or returns an invalid value', () => {
  const { at, passed } = clocks()
  at.monotonic += 500
  at.wall -= 3_600_000
  expect(passed()).toBe(500)
  for (const nonsense of [Number.NaN, Number.NEGATIVE_INFINITY]) {
    at.wall = nonsense
    at.monotonic += 500
    expect(passed()).toBeGreaterThanOrEqual(500)
  }
})

const SCOPES: 'a:read'[] = ['a:read']

/** Two nodes of one store without a wake-up channel, and a function that warms the cache of the first node. */
const cluster = (owner?: () => { scopes: string[] } | null, clock?: () => number) => {
  const { subscribe: _, ...store }: TokenStore = memoryStore()
  const find = vi.spyOn(store, 'find')
  const make = () =>
    latchkey({
      prefix: 'acme_live',
      store,
      scopes: { 'a:read': 'Read' },
      cache: { ownerStaleness: 60 },
      ...(owner && { owner }),
      ...(clock && { clock }),
    })
  const [frozen, other] = [make(), make()]
  return {
    frozen,
    other,
    /** Resolves once verifications of this token are answered from memory. */
    warm: (token: string) =>
      expect
        .poll(async () => {
          find.mockClear()
          expect(await frozen.verify(token)).toMatchObject({ ok: true })
          return find.mock.calls.length
        })
        .toBe(0),
    close: () => Promise.all([frozen.close(), other.close()]),
  }
}

/** Stops the monotonic clock; `thaw` moves the wall clock an hour ahead. */
const freeze = () => {
  const [stopped, wall] = [performance.now(), Date.now()]
  vi.spyOn(performance, 'now').mockImplementation(() => stopped)
  return { thaw: () => vi.spyOn(Date, 'now').mockImplementation(() => wall + 3_600_000) }
}

it.each([
  ['does not trust the cache after a freeze during which a token was revoked', undefined],
  ['notices a freeze by the wall clock even if the host has a clock that stood still', Date.now()],
])('%s', async (_title, stopped) => {
  const { frozen, other, warm, close } = cluster(undefined, stopped === undefined ? undefined : () => stopped)
  try {
    const { token, record } = await other.system.create({ name: 'ERP', scopes: SCOPES })
    await warm(token)
    const { thaw } = freeze()
    await other.system.revoke(record.id)
    expect(await frozen.verify(token)).toMatchObject({ ok: true })
    thaw()
    expect(await frozen.verify(token)).toMatchObject({ ok: false, code: 'token_revoked' })
  } finally {
    await close()
  }
})

it('reads each clock once for a warm verification, including the count of its use', async () => {
  const { frozen, other, warm, close } = cluster()
  try {
    const { token } = await other.system.create({ name: 'ERP', scopes: SCOPES })
    await warm(token)
    const reads = [vi.spyOn(Date, 'now'), vi.spyOn(performance, 'now')]
    for (const read of reads) read.mockClear()
    const verification = frozen.verify(token)
    expect(reads.map((read) => read.mock.calls.length)).toEqual([1, 1])
    expect(await verification).toMatchObject({ ok: true })
  } finally {
    await close()
  }
})

it('looks up owners again after a freeze, even after a read of the feed', async () => {
  let owned: { scopes: string[] } | null = { scopes: SCOPES }
  const { frozen, other, warm, close } = cluster(() => owned)
  try {
    const { token } = await other.system.create({ name: 'ERP', ownerId: 'ada', scopes: SCOPES })
    const { token: another } = await other.system.create({ name: 'Robot', scopes: SCOPES })
    await warm(token)
    const { thaw } = freeze()
    owned = null
    expect(await frozen.verify(token)).toMatchObject({ ok: true })
    thaw()
    await warm(another)
    expect(await frozen.verify(token)).toMatchObject({ ok: false, code: 'owner_denied' })
  } finally {
    await close()
  }
})

it('looks up tokens again after a freeze during which they were moved to another store', async () => {
  let moved = false
  const readMove = () => (moved ? ({ state: 'left', moveId: 'm', runId: 'r' } as const) : undefined)
  const store: TokenStore = Object.create(memoryStore(), { readMove: { value: readMove } })
  const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'a:read': 'Read' }, cache: false, logger: false })
  try {
    const { token } = await tokens.system.create({ name: 'ERP', scopes: SCOPES })
    const { thaw } = freeze()
    expect(await tokens.verify(token)).toMatchObject({ ok: true })
    moved = true
    thaw()
    await expect(tokens.verify(token)).rejects.toThrow('the tokens were moved to another store')
  } finally {
    await tokens.close()
  }
})
