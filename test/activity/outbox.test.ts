import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { PLACED_AT_ONCE, type TokenStore } from '../../src/store/port.js'
import { event } from '../../src/testing/store-contract/build.js'
import { until } from '../latchkey/harness.js'
import { node } from '../verbs/notices-world.js'

/** A store in which the test decides when and how each outbox check ends. */
function held() {
  const looks: ((count: number | Error) => void)[] = []
  const store: TokenStore = {
    ...memoryStore(),
    placeEvents: () =>
      new Promise((resolve, reject) => {
        looks.push((count) => {
          if (typeof count === 'number') resolve(Array.from({ length: count }, () => event('acme_test')))
          else reject(count)
        })
      }),
  }
  return { looks, outbox: node({ store }).context.outbox }
}

describe('the outbox', () => {
  it('callers that arrive during an outbox check get a new check, and never the earlier result', async () => {
    const { looks, outbox } = held()
    const done: number[] = []
    const calls = [1, 2, 3, 4].map((call) => outbox.place().then(() => done.push(call)))
    await until(() => looks.length === 1)
    looks[0]?.(0)
    await until(() => looks.length === 2)
    expect(done).toEqual([1])
    calls.push(outbox.place().then(() => done.push(5)))
    looks[1]?.(0)
    await until(() => looks.length === 3)
    expect(done).toEqual([1, 2, 3, 4])
    looks[2]?.(0)
    await Promise.all(calls)
    expect(looks).toHaveLength(3)
  })

  it('after an outbox check fails, callers that arrived in the meantime get a new check', async () => {
    const { looks, outbox } = held()
    const first = outbox.place()
    const second = outbox.place()
    await until(() => looks.length === 1)
    looks[0]?.(new Error('down'))
    await expect(first).rejects.toMatchObject({ code: 'store_unavailable' })
    await until(() => looks.length === 2)
    looks[1]?.(0)
    await second
  })

  it('checks the outbox again only if it may contain more events', async () => {
    const { looks, outbox } = held()
    const placing = outbox.place()
    await until(() => looks.length === 1)
    looks[0]?.(PLACED_AT_ONCE)
    await until(() => looks.length === 2)
    looks[1]?.(PLACED_AT_ONCE - 1)
    await placing
    expect(looks).toHaveLength(2)
  })

  it('sends no outbox query to a store without transactions', async () => {
    const { outbox, store } = node().context
    const calls: string[] = []
    store.watchCall = (method) => {
      calls.push(method)
      return () => undefined
    }
    await outbox.place()
    expect(calls).toEqual([])
  })
})
