import * as z from 'zod'
import { aboutToken } from '../activity/about-token.js'
import { GrantDeniedError, InvalidInputError, StoreUnavailableError } from '../errors.js'
import { chunksOf } from '../model/chunks.js'
import { isErased } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import type { Erased } from '../model/revocation.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape, text } from '../policy/shape.js'
import type { ListQuery, Replacement } from '../store/port.js'
import { createTurns } from '../store/timer.js'
import { untilDone } from '../store/until-done.js'
import type { Context } from '../verify/context.js'
import { checkTenant, isNobody, type ReadActor } from './lib/actor.js'
import { barrier } from './lib/barrier.js'
import { commit, timeOfChange } from './lib/change.js'
import { type Erasure, eraseEvents, eventOf, filterOf, refuseLive, WRITTEN_AT_ONCE } from './lib/erase-events.js'
import { MAX_TRIES, tooManyChanges } from './lib/line.js'
import { eraseRecord, mayName, namesOwner, withoutPerson } from './lib/personal.js'

/** Number of records read per batch. */
const BATCH = 50
/** Maximum number of passes. Another pass runs when the owner was named again during the last pass. */
const MAX_ROUNDS = 5

type Given = { ownerId: string; tenantId?: string | undefined }

const shape: z.ZodType<Given> = z.strictObject({ ownerId: text(1, 200), tenantId: text(1, 200).optional() })

/**
 * Removes an owner's ID from every record and event. Also removes the text that people wrote about the owner's tokens, and the addresses that those tokens
 * were used from.
 *
 * Works in small transactions. Each includes an `owner.erased` event that names the changed fields. After a crash, the same call erases the remaining data.
 * A call that finds nothing changes nothing.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an actor that manages only its own tokens, does not manage this tenant, or is the owner
 * @throws ConflictError `conflict`, while the owner has a token that is not revoked
 * @throws StoreUnavailableError `store_unavailable`, after everything else was erased, if tokens or events that may name the owner are damaged in the store
 */
export async function erase(context: Context, actor: ReadActor, input: unknown): Promise<Erased> {
  const { ownerId, tenantId } = readShape(shape, input, 'erase()')
  refuseUndefined(input, ['tenantId'], 'to mean every tenant')
  if (isNobody(ownerId)) throw new InvalidInputError('ownerId', 'is not a person: latchkey uses this ID in the audit log')
  if (actor.manages === 'own') throw new GrantDeniedError('actor', 'erasing requires an actor who manages all tokens of the tenant')
  checkTenant(actor, tenantId)
  if (actor.id === ownerId)
    throw new GrantDeniedError('ownerId', 'is you: the audit log must name who erased whom, so someone else must do it')
  const task: Erasure = {
    context,
    actor,
    ownerId,
    tenantIds: tenantId === undefined ? undefined : [tenantId],
    tokenIds: new Set(),
    erased: new Set(),
    damaged: new Set(),
    erasedEvents: new Set(),
    damagedEvents: new Set(),
    giveWay: createTurns(context.settings.monotonic),
  }
  const now = timeOfChange(context)
  await refuseLive(task)
  // Otherwise this node would name the owner again later. Only what is due is written, because calls that anyone may repeat would otherwise write far more
  // events than are allowed.
  clearBuffered(task)
  await Promise.all(context.buffers.map((buffer) => buffer.flush(now, false)))
  await context.outbox.place()
  let tokens = 0
  for (let round = 1; ; round += 1) {
    tokens += await eraseRecords(task)
    await eraseEvents(task)
    await refuseLive(task)
    if (!(await isNamed(task))) break
    if (round === MAX_ROUNDS) throw tooManyChanges()
  }
  // The feed may still name the owner for nodes that have not read that far. Wait for them, then cut the feed up to that position: if more were cut, every
  // node that has not read that far yet would drop its whole cache.
  const read = await barrier(context)
  // The store no longer accepts addresses for these tokens. A batch that was being written during the erasure has finished by now.
  const ids = [...task.erased]
  for (const some of chunksOf(ids, BATCH)) await forgetAddresses(context, some)
  await commit(context, { cutsFeed: read ?? (await context.nodes.feedEnd.next()), events: [] })
  clearBuffered(task)
  refuseDamaged('tokens', [...task.damaged])
  refuseDamaged(
    'events',
    [...task.damagedEvents].map((seq) => `seq ${seq}`),
  )
  return { tokens, events: task.erasedEvents.size }
}

/** Checks whether a record names the owner again. */
async function isNamed(task: Erasure): Promise<boolean> {
  const { context, ownerId } = task
  for (const by of [{ ownerId }, { createdBy: ownerId }]) {
    const found = await context.store.list({ ...filterOf(task), ...by, now: timeOfChange(context), limit: 1 })
    if (found.length > 0) return true
  }
  return false
}

/** Removes the owner from the events that this node has not written yet. */
function clearBuffered(task: Erasure): void {
  const { context, tenantIds } = task
  const { refusals, reuses, attempts } = context
  for (const events of [refusals, reuses, attempts]) {
    events.revise((occasion) => {
      const { tenantId } = ownFields(occasion)
      return tenantIds === undefined || (tenantId !== undefined && tenantIds.includes(tenantId)) ? withoutPerson(occasion, task) : occasion
    })
  }
}

async function eraseRecords(task: Erasure): Promise<number> {
  const { context, ownerId } = task
  let count = 0
  let after: ListedToken | undefined
  do {
    const query: ListQuery = {
      ...filterOf(task),
      now: timeOfChange(context),
      limit: BATCH,
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    }
    const page: readonly ListedToken[] = await context.store.list(query, (row) => {
      if (mayName(row, ownerId)) task.damaged.add(row.id)
    })
    for (const token of page) if (token.ownerId === ownerId || isErased(token)) task.tokenIds.add(token.id)
    const named = page.filter((token) => namesOwner(token, ownerId))
    for (const some of chunksOf(named, WRITTEN_AT_ONCE)) count += await eraseBatch(task, some)
    // Another node may since have written uses from before the erasure.
    await forgetAddresses(
      context,
      page.filter(isErased).map(({ id }) => id),
    )
    after = page.length === BATCH ? page.at(-1) : undefined
  } while (after !== undefined)
  return count
}

function refuseDamaged(what: 'tokens' | 'events', names: readonly string[]): void {
  if (names.length === 0) return
  const which = names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '')
  throw new StoreUnavailableError(
    `everything else was erased, but these ${what} are damaged in the store: ${which}. Restore or delete their rows, then call erase() again`,
  )
}

async function eraseBatch(task: Erasure, named: readonly ListedToken[]): Promise<number> {
  const { context, ownerId } = task
  // Do this first: once the record no longer names its owner, these addresses cannot be found.
  await forgetAddresses(
    context,
    named.filter((token) => token.ownerId === ownerId).map(({ id }) => id),
  )
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const ids = named.map(({ id }) => id)
    const current = await context.store.list({ ...filterOf(task), ids, now: timeOfChange(context), limit: ids.length })
    const updates = current.flatMap((token) => replacementOf(task, token))
    if (updates.length === 0) return 0
    const { ok } = await commit(context, { updates, events: updates.map(({ record }) => eventOf(task, aboutToken(record))) })
    if (!ok) continue
    for (const { record } of updates) if (isErased(record)) task.erased.add(record.id)
    return updates.length
  }
  throw tooManyChanges()
}

async function forgetAddresses({ store }: Context, tokenIds: readonly string[]): Promise<void> {
  const trim = { tokenIds, addressesBefore: Number.MAX_SAFE_INTEGER, lastAddresses: true } as const
  if (tokenIds.length > 0) await untilDone(store.name, 'addresses to remove', () => store.trimUsage(trim))
}

function replacementOf({ context, ownerId }: Erasure, { lastUsedAt: _, lastUsedIp: __, ...token }: ListedToken): readonly Replacement[] {
  const stored: StoredToken = ownFields(token)
  // A token that has become live since it was read stays unchanged until it is revoked.
  if (!namesOwner(stored, ownerId) || (stored.ownerId === ownerId && stored.revokedAt === undefined)) return []
  return [{ expectedVersion: stored.version, record: eraseRecord(stored, ownerId, timeOfChange(context)) }]
}
