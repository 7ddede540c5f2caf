import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { GuardedStore } from '../../src/store/guarded-store.js'
import { MoveWatch } from '../../src/store/move-watch.js'
import type { TokenStore } from '../../src/store/port.js'

const MOVE = { state: 'left', moveId: 'm', runId: 'r' } as const

/** A guarded store that counts how often the state of a move is read. */
function watched(store: TokenStore) {
  let asked = 0
  let now = 0
  const counting = interceptStore(store, ({ method }, proceed) => {
    if (method === 'readMove') asked += 1
    return proceed()
  })
  const monotonic = (): number => now
  const moves = new MoveWatch(counting, { prefix: 'acme_test', monotonic, maxAgeMs: 1000 })
  const guarded = new GuardedStore(counting, 1000, monotonic, () => {}, moves)
  return {
    guarded,
    asked: () => asked,
    pass(ms: number) {
      now += ms
    },
  }
}

it('a feed page that continues the previous page rules out a move without another read', async () => {
  const { guarded, asked, pass } = watched(memoryStore())
  let { cursor } = await guarded.changes(undefined, 1)
  expect(asked()).toBe(1)
  for (let page = 0; page < 5; page += 1) {
    pass(900)
    ;({ cursor } = await guarded.changes(cursor, 10))
  }
  pass(900)
  await guarded.find(['0'.repeat(16)])
  expect(asked()).toBe(1)
  pass(101)
  await guarded.find(['0'.repeat(16)])
  expect(asked()).toBe(2)
})

it('reads the state of a move again after each feed page that follows an unknown cursor', async () => {
  const { guarded, asked } = watched(memoryStore())
  const { cursor } = await guarded.changes(undefined, 1)
  await guarded.commit({ ownersChanged: [{ ownerId: 'o' }], events: [] })
  await guarded.changes(cursor, 10)
  expect(asked()).toBe(1)
  await guarded.changes(cursor, 10)
  expect(asked()).toBe(2)
})

it('calls that find no recent state share one read of the state, and no call joins a read that has become too old', async () => {
  const store = memoryStore()
  const answers: (() => void)[] = []
  const slow = interceptStore(store, ({ method }, proceed) =>
    method === 'readMove' ? new Promise<void>((resolve) => answers.push(resolve)).then(proceed) : proceed(),
  )
  const { guarded, asked, pass } = watched(slow)
  const find = async (count: number): Promise<number> =>
    (await Promise.all(Array.from({ length: count }, async () => guarded.find(['0'.repeat(16)])))).length
  const first = find(100)
  pass(999)
  const second = find(100)
  expect(asked()).toBe(1)
  pass(1)
  const third = find(100)
  expect(asked()).toBe(2)
  answers[0]?.()
  expect([await first, await second]).toEqual([100, 100])
  answers[1]?.()
  expect(await third).toBe(100)
  expect(asked()).toBe(2)
})

it('a failed read of the state fails all calls that share it, and the next call reads again', async () => {
  let fail: ((error: Error) => void) | undefined
  const slow = interceptStore(memoryStore(), ({ method }, proceed) =>
    method === 'readMove' && fail === undefined
      ? new Promise((_, reject) => {
          fail = reject
        })
      : proceed(),
  )
  const { guarded, asked } = watched(slow)
  const find = async (): Promise<unknown> => guarded.find(['0'.repeat(16)])
  const both = Promise.allSettled([find(), find()])
  fail?.(new Error('down'))
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await find()
  expect(asked()).toBe(2)
})

it('reads are refused once a node has read past a move in the feed', async () => {
  const store = memoryStore()
  const { guarded, asked } = watched(store)
  const first = await guarded.changes(undefined, 1)
  await guarded.find(['0'.repeat(16)])
  await store.saveMove?.('acme_test', undefined, MOVE)
  const { everything } = await guarded.changes(first.cursor, 10)
  expect([everything, asked()]).toEqual([true, 2])
  await expect(Promise.resolve().then(() => guarded.find(['0'.repeat(16)]))).rejects.toMatchObject({ code: 'store_unavailable' })
})
