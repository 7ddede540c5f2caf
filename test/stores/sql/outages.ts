import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/errors.js'
import type { TokenStore } from '../../../src/store/port.js'
import type { DatabaseProxy } from './proxy.js'
import { event, token } from './samples.js'

/** The server under test in the outage cases. */
export type OutageSubject = {
  /** A proxy in front of the server. */
  proxy(): Promise<DatabaseProxy>
  /** A store that reaches its server through `url` with a pool of five. */
  open(url: string): TokenStore
}

const outcome = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => error,
  )

/** Declares how a store behaves while its server is down, and that its pool leaks nothing. */
export const outageTests = (subject: OutageSubject): void => {
  let proxy: DatabaseProxy
  let store: TokenStore

  beforeEach(async () => {
    proxy = await subject.proxy()
    store = subject.open(proxy.url)
    await store.migrate?.()
  })
  afterEach(async () => {
    await store.close?.()
    await proxy.close()
  })

  it('serves 500 concurrent reads over a pool of five, half of them abandoned by their callers, and continues', async () => {
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    const reads = Array.from({ length: 500 }, (_, index) => {
      const read = store.find([known.id])
      return index % 2 === 0 ? read : Promise.race([read, sleep(0)])
    })
    await Promise.all(reads)
    for (let round = 0; round < 20; round += 1) expect(await store.find([known.id])).toHaveLength(1)
    expect(proxy.connections()).toBeLessThanOrEqual(5)
  })

  it('throws one typed error while the server is down, and works again within a second after the server returns', async () => {
    const known = token()
    await store.commit({ inserts: [known], events: [event()] })
    await Promise.all(Array.from({ length: 50 }, () => store.find([known.id])))
    const busy = Array.from({ length: 50 }, (_, index) =>
      outcome(
        index % 2 === 0
          ? Promise.resolve(store.find([known.id]))
          : Promise.resolve(store.commit({ inserts: [token()], events: [event()] })),
      ),
    )
    await proxy.die()
    for (const result of await Promise.all(busy)) {
      if (result !== 'done') expect(result).toBeInstanceOf(StoreUnavailableError)
    }
    for (let round = 0; round < 20; round += 1) {
      expect(await outcome(Promise.resolve(store.find([known.id])))).toBeInstanceOf(StoreUnavailableError)
      expect(await outcome(Promise.resolve(store.commit({ events: [event()] })))).toBeInstanceOf(StoreUnavailableError)
    }
    await proxy.comeBack()
    // One second, in steps.
    let refusals = 0
    while ((await outcome(Promise.resolve(store.find([known.id])))) !== 'done') {
      refusals += 1
      expect(refusals).toBeLessThan(50)
      await sleep(20)
    }
    expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
    await Promise.all(Array.from({ length: 100 }, () => store.find([known.id])))
    expect(proxy.connections()).toBeLessThanOrEqual(5)
  })

  it('writes a whole change or none of it if the server fails in the middle', async () => {
    const changes = Array.from({ length: 40 }, () => ({ inserts: [token(), token()], events: [event()] }))
    const writing = changes.map((change) => outcome(Promise.resolve(store.commit(change))))
    await sleep(5)
    await proxy.die()
    const results = await Promise.all(writing)
    await proxy.comeBack()
    await sleep(50)
    const events = new Set((await store.events({ prefix: 'acme', limit: 1000 })).map(({ id }) => id))
    for (const [index, change] of changes.entries()) {
      const found = await store.find(change.inserts.map(({ id }) => id))
      const there = events.has(change.events[0]?.id ?? '')
      expect(found).toHaveLength(there ? 2 : 0)
      if (results[index] === 'done') expect(there).toBe(true)
    }
  })
}
