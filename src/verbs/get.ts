import type { ListedToken, TokenRecord } from '../model/record.js'
import { damagedToken } from '../store/damaged.js'
import { isTokenId } from '../token/parse.js'
import type { Context } from '../verify/context.js'
import { viewRecord } from '../verify/view-record.js'
import { canSee, type ReadActor } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { checkId } from './lib/change.js'
import { withLastUse } from './lib/last-use.js'
import { endingForHolder } from './lib/same-secret.js'

/**
 * Returns the record of a token, or `undefined` if there is none that this actor can see.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function get(context: Context, actor: ReadActor, id: unknown): Promise<TokenRecord | undefined> {
  const stored = await findListed(context, actor, id)
  if (stored === undefined || !canSee(actor, stored)) {
    noteOutOfReach(context, actor, 'get', { id })
    return undefined
  }
  return viewRecord(await endingForHolder(context, actor, withLastUse(context, stored)), context.settings.clock())
}

/**
 * Returns the stored token with its last use.
 *
 * @throws StoreUnavailableError `store_unavailable`, including if its row is damaged
 */
export async function findListed(context: Context, actor: ReadActor, id: unknown): Promise<ListedToken | undefined> {
  checkId('id', id)
  if (!isTokenId(id)) return undefined
  const query = { prefix: context.settings.prefix, ids: [id], now: context.settings.clock(), limit: 1 }
  const rows = await context.store.list(query, (damaged, fields) => {
    // An actor who can see the token must not conclude that it does not exist.
    if (canSee(actor, damaged)) throw damagedToken(id, fields)
  })
  return rows.find((row) => row.id === id)
}
