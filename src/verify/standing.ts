import type { Entry } from '../cache/entry.js'
import type { Standing } from '../cache/standing.js'
import type { RefusalCode } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { endedWithFormat } from '../policy/imports.js'
import { refusalOf } from '../policy/status.js'
import { dueFrom, isThenable, leftUntil } from '../store/deadline.js'
import type { Context } from './context.js'
import { type OwnerFound, ownerOf, THROTTLED_SECONDS } from './owner-of.js'
import { intersectResources, scopesInForce } from './permissions.js'

/**
 * Returns the current permissions of the token with this ID, regardless of who presents it, or why it would be refused. Answers from memory whenever
 * `decide` would, and counts nothing.
 *
 * Used for credentials derived from a token, which must end and be narrowed with it. If the token no longer exists, the read is charged to `ip`. `leftMs` is
 * the part of the deadline that earlier calls left.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide (thrown or rejected)
 */
export function standing(context: Context, id: string, ip?: string, leftMs?: number): MaybePromise<Standing> {
  const entry = context.records.get(id)
  if (entry !== undefined) return judge(context, entry, leftMs)
  if (context.records.isKnownMissing(id)) return { code: 'token_unknown' }
  const { settings } = context
  const dueAt = leftMs === undefined ? dueFrom(settings) : settings.monotonic() + leftMs
  return context.records.read(id, ip, leftMs).then((read) => judge(context, read, leftUntil(dueAt, settings)))
}

/** Returns why a credential derived from a token is refused at this instant, as far as its lifecycle and import format decide. */
export function refusalOfEntry({ settings }: Context, entry: Entry, now: number): RefusalCode | undefined {
  return endedWithFormat(settings.imports, entry.parts.importedFrom, now) ? 'token_unknown' : refusalOf(entry.lifecycle, now)
}

function judge(context: Context, entry: Entry | undefined, leftMs: number | undefined): MaybePromise<Standing> {
  if (entry === undefined) return { code: 'token_unknown' }
  const code = refusalOfEntry(context, entry, context.settings.clock())
  if (code !== undefined) return { code }
  const owned = ownerOf(context, entry, leftMs)
  return isThenable(owned) ? owned.then((late) => standingOf(context, entry, late)) : standingOf(context, entry, owned)
}

function standingOf(context: Context, entry: Entry, owned: OwnerFound): Standing {
  if (owned === null) return { code: 'owner_denied' }
  if (owned === 'throttled') return { code: 'rate_limited', retryAfterSeconds: THROTTLED_SECONDS }
  const { parts } = entry
  return {
    scopes: scopesInForce(context.settings.catalogue, parts, owned),
    resources: intersectResources(parts.resources, owned?.resources),
    allowsIp: parts.allowsIp,
    signal: () => context.signalOf(entry),
  }
}
