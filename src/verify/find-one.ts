import { namesOf } from '../cache/guessing.js'
import type { Presenter } from '../model/presenter.js'
import type { StoredToken } from '../model/record.js'
import type { FoundRecords } from '../store/found-records.js'
import type { Context } from './context.js'
import type { StoreTurns } from './store-turns.js'

/** A read that has not begun yet, and when the deadline of its first caller ends, on the monotonic clock. */
type WaitingRead = { readonly read: Promise<FoundRecords>; readonly dueAt: number }

/** The reads that have not begun yet, by caller and token. A read that has begun may predate a change that a later caller must see. */
const waiting: WeakMap<StoreTurns, Map<string, WaitingRead>> = new WeakMap()

/** A caller joins a waiting read only if that read ends at most this part of the deadline earlier than the caller could wait. */
const EARLIER = 1 / 10

/**
 * Reads one token from the primary, queued by caller. Calls of one caller for the same token share a read, so many calls take up no more of the queue than
 * a few.
 */
export async function findOne(context: Context, id: string, from: Presenter): Promise<StoredToken | undefined> {
  const { turns, allowance, report, settings } = context
  const reads = waiting.get(turns) ?? new Map<string, WaitingRead>()
  waiting.set(turns, reads)
  const party = partyOf(from, id)
  const key = JSON.stringify([namesOf(party).caller, id])
  const dueAt = settings.monotonic() + (allowance?.leftMs ?? Number.POSITIVE_INFINITY)
  const earlier = reads.get(key)
  const isLate = earlier === undefined || earlier.dueAt < dueAt - settings.deadlineMs * EARLIER
  const read = isLate ? readInTurn(context, id, party, reads, key, dueAt) : earlier.read
  const found = await (allowance === undefined ? read : allowance.join("the store's find()", { where: 'store.find', report }, read))
  return found.get(id)
}

function readInTurn(
  { store, turns, allowance }: Context,
  id: string,
  party: Presenter,
  reads: Map<string, WaitingRead>,
  key: string,
  dueAt: number,
): Promise<FoundRecords> {
  let mine: WaitingRead | undefined
  let isWaiting = true
  const forget = (): void => {
    if (mine !== undefined && reads.get(key) === mine) reads.delete(key)
  }
  const read = turns.run(party, 'store.find', allowance?.leftMs, () => {
    isWaiting = false
    forget()
    return store.sharing(undefined).find([id])
  })
  if (!isWaiting) return read
  mine = { read, dueAt }
  reads.set(key, mine)
  read.then(forget, forget)
  return read
}

/** A client presents the tokens of many users, so its calls are queued separately for each token. */
function partyOf(from: Presenter, id: string): Presenter {
  if (typeof from !== 'object' || from === null || from.group !== undefined) return from
  return { ...from, id, group: [from.id] }
}
