import { isLatchkeyError } from '../errors.js'
import { ownFields } from '../model/own-fields.js'
import type { Known } from '../model/presenter.js'
import { compileFilter, type Filtered } from '../store/compile-filter.js'
import { apart } from '../store/deadline.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { StoreMethod } from '../store/methods.js'
import type { TokenFilter } from '../store/port.js'
import type { Turns } from '../store/store-calls.js'
import type { Context } from './context.js'
import { groupOf, type StoreTurns } from './store-turns.js'

/** The reads of many rows that an actor can cause at any rate. */
const LONG_READS: ReadonlySet<StoreMethod> = new Set(['list', 'distinct', 'events', 'usage', 'seals'])
const READS: ReadonlySet<StoreMethod> = new Set(['find', ...LONG_READS])

/** Returns the context of an actor's calls, which take turns with those of other actors. */
export function inTurns(context: Context, caller: string | Known): Context {
  const { store, actorTurns } = context
  const from = typeof caller === 'object' ? ownFields(caller) : caller
  const turns: Turns = {
    // The application acts for many callers, who would all wait for its reads by ID.
    methods: typeof from === 'object' && from.unlimited === true ? LONG_READS : READS,
    run: (method, leftMs, read) => actorTurns[method === 'find' ? 'short' : 'long'].run(from, `store.${method}`, leftMs, read),
  }
  return { ...context, store: store.takingTurns(turns), caller: from }
}

/**
 * Queues a change that concerns this tenant, and makes it when its actor is served. Within the change, each call to the store has a full deadline of its own.
 * The change keeps its slot until the store is done with it, even if its caller stops waiting. A change to tokens that are being revoked in bulk is queued
 * separately from other changes.
 */
export async function changeInTurn<T>(
  context: Context,
  method: 'commit' | 'revokeWhere' | 'saveTicket',
  tenantId: string | undefined,
  change: (context: Context) => Promise<T>,
  changed: readonly Filtered[] = [],
): Promise<T> {
  const { actorTurns, allowance, caller, store } = context
  if (caller === undefined) return await change(context)
  if (store.mustSetUp) await store.setUp()
  const inTurn = { ...context, store: store.sharing(undefined) }
  const revoking = [...actorTurns.revoking]
  const isOvertaken = changed.some((token) => revoking.some((matches) => matches(token)))
  const turns = isOvertaken ? actorTurns.overtaken : actorTurns.changes
  return await run(turns, partyOf(caller, tenantId), `store.${method}`, allowance?.leftMs, () => change(inTurn))
}

/** Like `changeInTurn`, for a bulk revocation. Neither its time nor the wait for its turn counts against the deadline of the call. */
export async function revokeInTurn<T>(
  context: Context,
  tenantId: string | undefined,
  filter: TokenFilter,
  revoke: () => Promise<T>,
): Promise<T> {
  const { actorTurns, allowance, caller, store } = context
  const { revoking } = actorTurns
  const matches = compileFilter(filter)
  const noted = async (): Promise<T> => {
    revoking.add(matches)
    try {
      return await revoke()
    } finally {
      revoking.delete(matches)
    }
  }
  if (caller === undefined) return await noted()
  if (store.mustSetUp) await store.setUp()
  return await apart(allowance, () => run(actorTurns.bulk, partyOf(caller, tenantId), 'store.revokeWhere', undefined, noted))
}

// `turns.run` treats every error as a failure of the store, but a change may also be refused, for example because of a limit.
async function run<T>(
  turns: StoreTurns,
  from: string | Known,
  where: FaultPlace,
  leftMs: number | undefined,
  change: () => Promise<T>,
): Promise<T> {
  const outcome = await turns.run(from, where, leftMs, async () => {
    try {
      return { ok: true, value: await change() } as const
    } catch (error) {
      if (isLatchkeyError(error) && error.code === 'store_unavailable') throw error
      return { ok: false, error } as const
    }
  })
  if (!outcome.ok) throw outcome.error
  return outcome.value
}

// The application acts in every tenant, so its change is queued with those of the actors of that tenant.
function partyOf(caller: string | Known, tenantId: string | undefined): string | Known {
  if (typeof caller === 'string' || caller.unlimited !== true || tenantId === undefined) return caller
  return { ...caller, group: groupOf([tenantId]) }
}
