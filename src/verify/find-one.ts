import { namesOf } from '../cache/guessing.js'
import type { Presenter } from '../model/presenter.js'
import type { StoredToken } from '../model/record.js'
import type { FoundRecords } from '../store/found-records.js'
import type { Context } from './context.js'
import type { StoreTurns } from './store-turns.js'

/** The reads that have not begun yet, by caller and token. One that has begun may predate what a later caller must see. */
const waiting: WeakMap<StoreTurns, Map<string, Promise<FoundRecords>>> = new WeakMap()

/**
 * Reads one token from the primary when it is the caller's turn. Calls of one caller for the same token share a read, so that many of them take no more turns
 * than a few.
 */
export async function findOne(context: Context, id: string, from: Presenter): Promise<StoredToken | undefined> {
  const { turns, allowance, report } = context
  const reads = waiting.get(turns) ?? new Map<string, Promise<FoundRecords>>()
  waiting.set(turns, reads)
  const party = partyOf(from, id)
  const key = JSON.stringify([namesOf(party).caller, id])
  for (;;) {
    const earlier = reads.get(key)
    const read = earlier ?? readInTurn(context, id, party, reads, key)
    try {
      const found = await (allowance === undefined ? read : allowance.join("the store's find()", { where: 'store.find', report }, read))
      return found.get(id)
    } catch (error) {
      // The deadline of an earlier call may be over before that of this one.
      if (earlier === undefined || (allowance?.leftMs ?? 1) <= 0) throw error
    }
  }
}

function readInTurn(
  { store, turns, allowance }: Context,
  id: string,
  party: Presenter,
  reads: Map<string, Promise<FoundRecords>>,
  key: string,
): Promise<FoundRecords> {
  let isWaiting = true
  const read = turns.run(party, 'store.find', allowance?.leftMs, () => {
    isWaiting = false
    reads.delete(key)
    return store.sharing(undefined).find([id])
  })
  if (!isWaiting) return read
  reads.set(key, read)
  const forget = (): void => {
    if (reads.get(key) === read) reads.delete(key)
  }
  read.then(forget, forget)
  return read
}

/** A client presents the tokens of many users, so the calls for different tokens take turns within it. */
function partyOf(from: Presenter, id: string): Presenter {
  if (typeof from !== 'object' || from === null || from.group !== undefined) return from
  return { ...from, id, group: [from.id] }
}
