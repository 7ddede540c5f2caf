import * as z from 'zod'
import { aboutToken } from '../activity/about-token.js'
import type { RecordCache } from '../cache/records.js'
import { InvalidInputError, StoreUnavailableError } from '../errors.js'
import { chunksOf } from '../model/chunks.js'
import type { StoredEvent } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import { instantSchema } from '../policy/field-schema.js'
import { hasEnded } from '../policy/imports.js'
import { readShape } from '../policy/shape.js'
import { createTurns } from '../store/timer.js'
import { untilDone } from '../store/until-done.js'
import { deriveId } from '../token/derive-id.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { commit, timeOfChange, withChanges } from './lib/change.js'

const PAGE = 200
/** The number of tokens whose usage is removed together. */
const CLEARED_TOGETHER = 50
/** How far ahead the caller's clock may be. */
const CLOCKS_DIFFER_MS = 60_000

/**
 * The statuses of tokens that may have ended; an inactive token may also have expired. Each is listed separately, because stores find tokens with one status
 * through an index, but for several they may read all tokens until the page is full.
 */
const ENDED = ['revoked', 'inactive', 'expired'] as const

const shape: z.ZodType<{ before: number }> = z.strictObject({ before: instantSchema })

/**
 * Removes tokens that were revoked or expired before an instant, and their usage. Their audit events stay. Continues page by page while `goOn` returns true;
 * upkeep passes `goOn`.
 *
 * Revokes an expired token before it removes it. A concurrent edit that extends the token either comes first, and the token stays, or comes later and is
 * refused.
 *
 * @throws InvalidInputError `invalid_input`, with field `before`, for an instant in the future, including by the clocks of the other nodes
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every token
 */
export async function prune(
  context: Context,
  actor: ReadActor,
  input: unknown,
  goOn?: () => Promise<boolean>,
): Promise<{ readonly count: number }> {
  checkSeesAll(actor, 'pruning')
  const { before } = readShape(shape, input, 'prune()')
  if (before > timeOfChange(context) + CLOCKS_DIFFER_MS) {
    throw new InvalidInputError('before', 'is in the future: only tokens that have ended are removed')
  }
  if (goOn === undefined) await refuseAhead(context, before)
  const isKept = ({ id }: ListedToken): boolean => goOn !== undefined && keptBy(context).has(id)
  let count = 0
  for (const status of ENDED) {
    let after: ListedToken | undefined
    do {
      const now = timeOfChange(context)
      const page: readonly ListedToken[] = await context.store.list({
        prefix: context.settings.prefix,
        statuses: [status],
        now,
        limit: PAGE,
        ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
      })
      const dead = page.filter((token) => diedBefore(token, before) && !stillRefuses(context, token, now) && !isKept(token))
      if (dead.length > 0 && goOn !== undefined && !(await goOn())) return { count }
      const ended = await end(context, dead, actor, now)
      if (!(await clearUsage(context, ended, now, goOn))) return { count }
      count += await remove(context, ended, actor, before)
      after = page.length === PAGE ? page.at(-1) : undefined
    } while (after !== undefined)
  }
  return { count }
}

/**
 * If neither the store's server nor any other node has reached this instant by its own clock, this node's clock is probably wrong. Released leases are ignored,
 * because they carry no time.
 */
async function refuseAhead({ store, nodeId }: Context, before: number): Promise<void> {
  const there = await store.serverTime()
  if (there !== undefined && before > there + CLOCKS_DIFFER_MS) {
    const at = new Date(there).toISOString()
    throw new InvalidInputError('before', `is later than the clock of the database, which is at ${at}: check the clock of this node`)
  }
  const own = nodeId()
  const others = (await store.leases(0)).filter((lease) => lease.nodeId !== own)
  if (others.length === 0 || others.some(({ expiresAt }) => before <= expiresAt + CLOCKS_DIFFER_MS)) return
  const latest = new Date(Math.max(...others.map(({ expiresAt }) => expiresAt))).toISOString()
  throw new InvalidInputError(
    'before',
    `is later than the clocks of all other nodes, the latest of which is at ${latest}: check this node's clock`,
  )
}

/**
 * Checks whether the record of an imported token still blocks a secret that another format may accept. Both formats may have imported the same secret, and
 * their digests do not show it. The record therefore stays until no other format is accepted.
 */
function stillRefuses({ settings }: Context, { importedFrom }: ListedToken, now: number): boolean {
  if (importedFrom === undefined || settings.imports === undefined) return false
  return settings.imports.formats.some((format) => format.name !== importedFrom && !hasEnded(format, now))
}

function diedBefore(token: ListedToken, before: number): boolean {
  const diedAt = Math.min(token.revokedAt ?? Number.POSITIVE_INFINITY, token.expiresAt ?? Number.POSITIVE_INFINITY)
  return diedAt < before
}

/** Makes sure that none of these tokens can become valid again. Returns those for which this succeeded. */
async function end(context: Context, dead: readonly ListedToken[], actor: ReadActor, now: number): Promise<readonly ListedToken[]> {
  const ended: ListedToken[] = []
  for (const token of dead) {
    if (token.revokedAt === undefined && !(await revokeExpired(context, token, actor, now))) continue
    ended.push(token)
  }
  return ended
}

async function revokeExpired(context: Context, token: ListedToken, actor: ReadActor, now: number): Promise<boolean> {
  const { lastUsedAt, lastUsedIp, ...stored } = token
  const after = withChanges(stored, now, { revokedAt: now, revokedBy: actor.id, revokedCode: 'pruned', rotationDueAt: undefined })
  const event = auditEvent('token.revoked', actor, now, { before: stored, after })
  const result = await commit(context, { updates: [{ expectedVersion: stored.version, record: after }], events: [event] })
  return result.ok
}

/**
 * Removes most usage of tokens that are about to be removed, in small batches. There can be millions of rows, which the store would otherwise remove in the
 * transaction that removes the tokens, while no other change can be made. Returns `false` if `goOn` did.
 */
async function clearUsage({ store, settings }: Context, tokens: readonly ListedToken[], now: number, goOn = always): Promise<boolean> {
  const giveWay = createTurns(settings.monotonic)
  let goesOn = true
  for (const some of chunksOf(tokens, CLEARED_TOGETHER)) {
    const tokenIds = some.map(({ id }) => id)
    await untilDone(store.name, 'usage to remove', async () => {
      await giveWay()
      const hasMore = await store.trimUsage({ tokenIds, countsBefore: now, addressesBefore: now, lastAddresses: true })
      goesOn = !hasMore || (await goOn())
      return hasMore && goesOn
    })
    if (!goesOn) return false
  }
  return true
}

const always = async (): Promise<boolean> => true

/** For each node, the tokens that upkeep could not remove. It does not try again until this node restarts, because each attempt is a failed change. */
const kept: WeakMap<RecordCache, Set<string>> = new WeakMap()
const MOST_KEPT = 10_000

function keptBy({ records }: Context): Set<string> {
  const ids = kept.get(records) ?? new Set<string>()
  kept.set(records, ids)
  return ids
}

/**
 * Removes tokens, and returns how many it removed. Leaves out tokens that another node has removed in the meantime, and those that cannot be removed, because
 * other data of the host refers to them.
 */
async function remove(context: Context, tokens: readonly ListedToken[], actor: ReadActor, before: number): Promise<number> {
  if (tokens.length === 0) return 0
  const at = timeOfChange(context)
  const events = tokens.map((token) => eventOf(context, token, actor, at, before))
  const ids = tokens.map(({ id }) => id)
  const result = await commit(context, { removals: ids, events })
  if (result.ok) return tokens.length
  const left = await context.store.list({ prefix: context.settings.prefix, ids, now: at, limit: ids.length })
  if (left.length < tokens.length) return await remove(context, left, actor, before)
  const [first] = left
  if (left.length === 1 && first !== undefined) {
    const keptIds = keptBy(context)
    if (keptIds.size < MOST_KEPT) keptIds.add(first.id)
    context.report('retention', new StoreUnavailableError(`token ${first.id} cannot be removed: rows of another table may refer to it`))
    return 0
  }
  const middle = Math.ceil(left.length / 2)
  return (await remove(context, left.slice(0, middle), actor, before)) + (await remove(context, left.slice(middle), actor, before))
}

/** Creates one event per token, so every actor that sees the token's trail also sees its removal. */
function eventOf({ settings }: Context, token: ListedToken, actor: ReadActor, at: number, before: number): StoredEvent {
  return {
    // Another node that removes the same token writes no second event.
    id: deriveId(['token.pruned', token.id, String(token.createdAt)]),
    at,
    action: 'token.pruned',
    prefix: settings.prefix,
    actorId: actor.id,
    ...aboutToken(token),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    details: { before: new Date(before).toISOString(), ...(token.bulkId !== undefined && { bulkId: token.bulkId }) },
  }
}
