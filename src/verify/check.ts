import type { Entry } from '../cache/entry.js'
import type { RefusalCode } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { refusalOf } from '../policy/status.js'
import { isThenable } from '../store/deadline.js'
import type { Context } from './context.js'

/**
 * Would a token of this id be refused now, whoever presents it? Answers from memory where `decide` would; counts nothing.
 *
 * For what was made from a token and must end with it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide (thrown or rejected)
 */
export function check(context: Context, id: string): MaybePromise<RefusalCode | undefined> {
  const entry = context.records.get(id)
  if (entry !== undefined) return judge(context, entry)
  if (context.records.lacks(id)) return 'token_unknown'
  return context.records.read(id, undefined).then((read) => judge(context, read))
}

function judge(context: Context, entry: Entry | undefined): MaybePromise<RefusalCode | undefined> {
  if (entry === undefined) return 'token_unknown'
  const code = refusalOf(entry.lifecycle, context.settings.clock())
  if (code !== undefined || context.owners === undefined || entry.ownerId === undefined) return code
  const owned = context.owners.of(entry.ownerId, entry.tenantId)
  return isThenable(owned)
    ? owned.then((late) => (late === null ? 'owner_denied' : undefined))
    : owned === null
      ? 'owner_denied'
      : undefined
}
