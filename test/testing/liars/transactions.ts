import { memoryStore } from 'latchkey/stores/memory'
import type { BegunTransaction, StoreSubject } from 'latchkey/testing'
import type { StoredEvent } from '../../../src/model/event.js'
import type { Addition, AdditionResult, TokenCap, TokenStore } from '../../../src/store/port.js'
import type { Liar } from './liar.js'

type Sabotage = {
  /** Writes immediately, even if the transaction is rolled back. */
  readonly atOnce?: true
  /** Forgets which events already have positions. */
  readonly placesAgain?: true
  /** Counts only committed tokens. */
  readonly countsCommitted?: true
}

/** A store that joins transactions of a made-up host. A transaction is the list of its additions. */
function transacting({ atOnce, placesAgain, countsCommitted }: Sabotage): StoreSubject {
  const memory = memoryStore()
  const open = new WeakMap<object, Addition[]>()
  let outbox: StoredEvent[] = []

  async function conflictOf({ inserts = [], events }: Addition): Promise<AdditionResult | undefined> {
    const [stored] = await memory.find(inserts.map(({ id }) => id))
    if (stored !== undefined) return { ok: false, conflict: stored.id, stored }
    for (const { id, prefix } of events) {
      if ((await memory.events({ prefix, id, limit: 1 })).length > 0) return { ok: false, conflict: id }
    }
    return undefined
  }
  async function exceeds({ prefix, tenantId, max, now }: TokenCap, added: readonly Addition[]): Promise<boolean> {
    const stored = await memory.list({ prefix, now, limit: 1000, ...(tenantId !== undefined && { tenantIds: [tenantId] }) })
    const mine = countsCommitted ? [] : added.flatMap(({ inserts = [] }) => inserts).filter((made) => made.tenantId === tenantId)
    return stored.length + mine.length > max
  }
  async function write(added: readonly Addition[]): Promise<void> {
    for (const { inserts = [], events } of added) {
      await memory.commit({ inserts, events: [] })
      outbox.push(...events)
    }
  }
  const store: TokenStore = {
    ...memory,
    async commitIn(transaction, addition) {
      const added = open.get(transaction)
      if (added === undefined) return { ok: false, refused: 'must be a transaction of this host' }
      const conflict = await conflictOf(addition)
      if (conflict !== undefined) return conflict
      for (const [at, cap] of (addition.caps ?? []).entries())
        if (await exceeds(cap, [...added, addition])) return { ok: false, exceeded: at }
      if (atOnce) await write([addition])
      else added.push(addition)
      return { ok: true }
    },
    async placeEvents(prefix) {
      const events = outbox.filter((event) => event.prefix === prefix)
      if (!placesAgain) outbox = outbox.filter((event) => event.prefix !== prefix)
      await memory.commit({ events })
      return events
    },
  }
  return {
    store,
    reopen: () => store,
    beginTransaction(): BegunTransaction {
      const transaction = {}
      const added: Addition[] = []
      open.set(transaction, added)
      return { transaction, commit: () => write(added), rollback: () => undefined }
    },
  }
}

export const transactionLiars: readonly Liar[] = [
  {
    name: 'writes an addition immediately, even if the transaction rolls back',
    caughtBy: 'a rolled-back transaction writes nothing',
    create: () => transacting({ atOnce: true }),
  },
  {
    name: 'places an event twice',
    caughtBy: 'additions are stored after the commit, and their events get their position exactly once',
    create: () => transacting({ placesAgain: true }),
  },
  {
    name: 'does not count what the transaction added toward a cap',
    caughtBy: 'caps count what the transaction sees, and the transaction can continue after one is exceeded',
    create: () => transacting({ countsCommitted: true }),
  },
  {
    name: 'does not place waiting events before a bulk revocation',
    caughtBy: 'events of an addition are placed after existing events, and before the event of a later bulk revocation',
    create: () => transacting({}),
  },
]
