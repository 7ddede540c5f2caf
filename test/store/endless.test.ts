import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { trimUsage } from '../../src/verbs/retain.js'
import type { Context } from '../../src/verify/context.js'
import { pause } from '../latchkey/harness.js'
import { storedEvent } from '../support/records.js'

const LONGEST = 50_000

/** A store in which one method always has more results. Once the method has been called far too often, the test fails instead of hanging. */
function endless(change: (honest: TokenStore, count: () => number) => Partial<TokenStore>, cache: 'balanced' | false = false) {
  const honest = memoryStore()
  let calls = 0
  const count = (): number => {
    calls += 1
    if (calls > LONGEST) throw new Error('queried endlessly')
    return calls
  }
  const store = { ...honest, ...change(honest, count) } as TokenStore
  const tokens = latchkey({ prefix: 'acme_live', store, scopes: { a: 'b' }, logger: false, cache })
  onTestFinished(() => tokens.close().catch(() => undefined))
  return { tokens, calls: () => calls }
}

const NEVER_ENDS = { code: 'store_unavailable', message: expect.stringContaining('always has more') }

describe('a custom store that always has more to do', () => {
  it('erase() ends if trimUsage() always has more to remove', async () => {
    const { tokens } = endless((_, count) => ({ trimUsage: () => count() > 0 }))
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['a'], ownerId: 'ann' })
    await tokens.system.revoke(record.id)
    await expect(tokens.system.erase({ ownerId: 'ann' })).rejects.toMatchObject(NEVER_ENDS)
  })

  it('retention ends if trimUsage() always has more to remove', async () => {
    let calls = 0
    const store = {
      name: 'custom',
      list: async () => [{ id: 'x', createdAt: 1 }],
      trimUsage: async () => {
        calls += 1
        if (calls > LONGEST) throw new Error('queried endlessly')
        return true
      },
    }
    const context = { store, settings: { prefix: 'acme_live', retention: { usageMs: 1 } } } as object as Context
    await expect(trimUsage(context, 2, async () => true)).rejects.toMatchObject(NEVER_ENDS)
  })

  it('events() ends if placeEvents() always has more events to place', async () => {
    const { tokens } = endless((_, count) => ({
      placeEvents: () => {
        const call = count()
        return Array.from({ length: 100 }, (_, at) => storedEvent({ prefix: 'acme_live', id: `e${call}_${at}` }))
      },
    }))
    await expect(tokens.system.events()).rejects.toMatchObject(NEVER_ENDS)
  })

  it.each(['prune', 'erase'] as const)('%s() ends if list() ignores its cursor', async (verb) => {
    const { tokens } = endless((honest, count) => ({
      list: ({ after: _, ...query }) => (count() > 0 ? honest.list(query) : []),
    }))
    for (let at = 0; at < 201; at += 1) await tokens.system.create({ name: 'ERP', scopes: ['a'], tenantId: 'acme', ownerId: 'bob' })
    await tokens.system.revokeAll({ ownerId: 'bob' })
    const call = verb === 'prune' ? tokens.system.prune({ before: new Date(0) }) : tokens.system.erase({ ownerId: 'ann' })
    await expect(call).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('do not come after') })
  })

  it('verifications and timers continue to run if changes() always has more', async () => {
    const { tokens, calls } = endless(
      (honest, count) => ({
        changes: async (after, limit) => {
          const page = await honest.changes(undefined, limit)
          return after === undefined ? page : { ...page, cursor: `${page.cursor}${count() % 2}`, more: true }
        },
      }),
      'balanced',
    )
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a'] })
    expect((await tokens.verify(token)).ok).toBe(true)
    await pause(50)
    expect(calls()).toBeLessThan(LONGEST)
    expect((await tokens.verify(token)).ok).toBe(true)
  })
})
