import { setTimeout as pause } from 'node:timers/promises'
import { fill, idOf, PREFIX, START, tenantOf } from './fill.js'
import type { Subject } from './subjects.js'

/** A third of these belong to the tenant whose tokens are revoked. */
const TOKENS = 300_000

const stamp = { revokedAt: START, revokedBy: 'bench', revokedCode: 'bulk', bulkId: 'bulk000000000000' } as const

/**
 * Revokes 100,000 tokens of one tenant in one call. Meanwhile reads and changes tokens of other tenants, one after another. Returns the
 * number of revoked tokens, and times in milliseconds: of the revocation, of the longest read and of the longest change.
 */
export const measureBulk = async ({ store, settle }: Subject): Promise<Record<'count' | 'revocation' | 'read' | 'change', number>> => {
  await fill(store, 0, TOKENS)
  await settle()
  const others = Array.from({ length: 3_000 }, (_, index) => index).filter((index) => tenantOf(index) !== 'large')
  let [read, change, turn, done] = [0, 0, 0, false]
  const nextId = (): string => idOf(others[turn++ % others.length] ?? 0)
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now()
    await work()
    return performance.now() - start
  }
  const reading = async (): Promise<void> => {
    while (!done) {
      read = Math.max(read, await timed(async () => store.find([nextId()])))
      await pause(1)
    }
  }
  const changing = async (): Promise<void> => {
    while (!done) {
      const [record] = await store.find([nextId()])
      if (record === undefined) throw new Error('a token is missing')
      const event = {
        id: `change-${turn}`,
        at: START,
        action: 'token.updated',
        prefix: PREFIX,
        actorId: 'bench',
        tokenId: record.id,
      } as const
      const updates = [{ expectedVersion: record.version, record: { ...record, version: record.version + 1 } }]
      change = Math.max(change, await timed(async () => store.commit({ updates, events: [event] })))
      await pause(1)
    }
  }
  const meanwhile = Promise.all([reading(), changing()])
  let count = 0
  const event = { id: 'bulk', at: START, action: 'tokens.revoked', prefix: PREFIX, actorId: 'bench', tenantId: 'large' } as const
  const revocation = await timed(async () => {
    const result = await store.revokeWhere({ prefix: PREFIX, tenantIds: ['large'] }, stamp, { ...event, bulkId: stamp.bulkId })
    count = result.count
  })
  done = true
  await meanwhile
  return { count, revocation, read, change }
}
