import { latchkey, type TokenStore } from 'latchkey'
import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { readOptions } from '../../src/options.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { retain } from '../../src/verbs/retain.js'
import { buildContext } from '../../src/verify/build-context.js'
import type { Context } from '../../src/verify/context.js'
import { SCOPES, until } from '../latchkey/harness.js'
import { storedEvent } from '../support/records.js'

const COUNT = 250
const MIB = 1024 * 1024
/** About as large as the data, before and after, of the largest change that the body limit of the management API allows. */
const resources = { warehouse: Array.from({ length: 1000 }, (_, at) => String(at).padEnd(58, 'x')) }

/** A store with many large events behind a few small ones, and the size of its largest answer. */
async function full() {
  const reads = { count: 0, most: 0 }
  const inner = memoryStore()
  const store = interceptStore(inner, async ({ method }, proceed) => {
    const answer = await proceed()
    if (method === 'events') {
      reads.count += (answer as readonly unknown[]).length
      reads.most = Math.max(reads.most, JSON.stringify(answer).length)
    }
    return answer
  }) as TokenStore
  const events = Array.from({ length: COUNT + 10 }, (_, at) => {
    const change = at < 10 ? {} : { before: { resources }, after: { resources, ownerId: 'bob' } }
    return storedEvent({ prefix: 'acme_test', actorId: 'bob', at: Date.UTC(2020, 0, 1) + at, ...change })
  })
  for (let from = 0; from < events.length; from += 50) await inner.commit({ events: events.slice(from, from + 50) })
  return { store, reads }
}

const contextOn = (store: TokenStore): Context =>
  buildContext(readOptions({ prefix: 'acme_test', scopes: SCOPES, store, retention: { events: '30d' }, deadline: '300s', logger: false }))

describe('reading many large events', () => {
  it.each<[string, (context: Context) => Promise<unknown>]>([
    ['erase()', (context) => createHandle(() => context, SYSTEM).erase({ ownerId: 'bob' })],
    ['sealAudit()', (context) => createHandle(() => context, SYSTEM).sealAudit()],
    ['retention', (context) => retain(context, Date.now(), async () => true)],
    [
      'exportAudit()',
      async (context) => {
        for await (const _ of createHandle(() => context, SYSTEM).exportAudit());
      },
    ],
    [
      'a consumer',
      async ({ settings: { store } }) => {
        const tokens = latchkey({ prefix: 'acme_test', scopes: SCOPES, store, logger: false, notices: false })
        let seen = 0
        tokens.system.consume('siem', () => {
          seen += 1
        })
        await until(() => seen === COUNT + 10)
        await tokens.close()
      },
    ],
    [
      'copy()',
      async ({ settings: { store } }) => {
        const [from, to] = [store, memoryStore()].map((each) =>
          latchkey({ prefix: 'acme_test', scopes: SCOPES, store: each, logger: false, notices: false }),
        )
        await copy(from!, to!)
        await Promise.all([from!.close(), to!.close()])
      },
    ],
  ])('%s reads every large event, but only a few at a time', { timeout: 60_000 }, async (_, work) => {
    const { store, reads } = await full()
    await work(contextOn(store))
    expect(reads.count).toBeGreaterThanOrEqual(COUNT)
    expect(reads.most).toBeLessThanOrEqual(4 * MIB)
  })
})
