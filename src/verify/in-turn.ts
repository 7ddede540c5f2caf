import type { Known } from '../model/presenter.js'
import { apart } from '../store/deadline.js'
import type { RunInTurn } from '../store/store-calls.js'
import { groupOf } from './actor-turns.js'
import type { Context } from './context.js'

/** Returns the context of an actor's calls, which take turns with those of other actors. */
export function inTurns(context: Context, caller: Known): Context {
  const { store, actorTurns } = context
  const runInTurn: RunInTurn = (method, leftMs, read) => {
    if (method !== 'find') return actorTurns.long.run(caller, `store.${method}`, leftMs, read)
    // The application stands for many callers, whose changes would all wait for its first read.
    return caller.unlimited === true ? read() : actorTurns.short.run(caller, 'store.find', leftMs, read)
  }
  return { ...context, store: store.takingTurns(runInTurn), caller }
}

/**
 * Makes a change that concerns this tenant when it is its actor's turn. Inside, each call to the store has one whole deadline: the change holds its turn until
 * the store is done with it, even if its caller stops waiting.
 */
export async function changeInTurn<T>(
  context: Context,
  method: 'commit' | 'saveTicket',
  tenantId: string | undefined,
  change: (context: Context) => Promise<T>,
): Promise<T> {
  const { actorTurns, allowance, caller, store } = context
  if (caller === undefined) return await change(context)
  const inTurn = { ...context, store: store.sharing(undefined) }
  return await actorTurns.changes.run(partyOf(caller, tenantId), `store.${method}`, allowance?.leftMs, () => change(inTurn))
}

/** Like `changeInTurn`, for a bulk revocation. Neither its time nor the wait for its turn counts against the deadline of the call. */
export async function revokeInTurn<T>(context: Context, tenantId: string | undefined, revoke: () => Promise<T>): Promise<T> {
  const { actorTurns, allowance, caller } = context
  if (caller === undefined) return await revoke()
  return await apart(allowance, () => actorTurns.bulk.run(partyOf(caller, tenantId), 'store.revokeWhere', undefined, revoke))
}

// The application acts in every tenant, so a change takes turns with the actors of its tenant.
function partyOf(caller: Known, tenantId: string | undefined): Known {
  if (caller.unlimited !== true || tenantId === undefined) return caller
  return { ...caller, group: groupOf([tenantId]) }
}
