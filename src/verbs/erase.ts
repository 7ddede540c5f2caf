import * as z from 'zod'
import { aboutToken } from '../activity/about-token.js'
import { eraseFrom } from '../audit/erasure.js'
import { ConflictError, GrantDeniedError } from '../errors.js'
import type { ListedEvent, StoredEvent } from '../model/event.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import type { Erased } from '../model/revocation.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape, text } from '../policy/shape.js'
import type { Replacement, TokenFilter } from '../store/port.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import { checkTenant, type ReadActor } from './lib/actor.js'
import { barrier } from './lib/barrier.js'
import { commit, MAX_TRIES, tooManyChanges } from './lib/change.js'
import { eraseRecord, namesOwner, personalTo } from './lib/personal.js'
import { sealFirst } from './lib/seals.js'

/** Records that are read and written at once. */
const BATCH = 50
/** About as many as one seal covers. */
const EVENTS_A_BATCH = 200
/** How often what somebody wrote meanwhile is gone through once more. */
const MAX_ROUNDS = 5

type Given = { ownerId: string; tenantId?: string | undefined }

const shape: z.ZodType<Given> = z.strictObject({ ownerId: text(1, 200), tenantId: text(1, 200).optional() })

/** Whose data goes, from where, and by whom. */
type Task = {
  readonly context: Context
  readonly actor: ReadActor
  readonly ownerId: string
  readonly tenantIds: readonly string[] | undefined
}

/**
 * Removes an owner's id from every record and event, and with it what people wrote about the owner's tokens and the addresses that these were used from.
 *
 * It works in small steps, each with an `owner.erased` event in its transaction that names what it changed. After a crash the same call goes on with what is
 * left, and a call that finds nothing changes nothing.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an actor who manages only its own tokens, or not this tenant, or who is the owner
 * @throws ConflictError `conflict` while a token of the owner is not revoked
 */
export async function erase(context: Context, actor: ReadActor, input: unknown): Promise<Erased> {
  const { ownerId, tenantId } = readShape(shape, input, 'erase()')
  refuseUndefined(input, ['tenantId'], 'to mean every tenant')
  if (actor.manages === 'own') throw new GrantDeniedError('actor', 'erasing requires an actor who manages all tokens of the tenant')
  checkTenant(actor, tenantId)
  if (actor.id === ownerId)
    throw new GrantDeniedError('ownerId', 'is yourself: the audit must name who erased whom, so somebody else must do it')
  const task: Task = { context, actor, ownerId, tenantIds: tenantId === undefined ? undefined : [tenantId] }
  const now = context.settings.clock()
  // What this node knows and has not written yet would come behind.
  await Promise.all(context.buffers.map((buffer) => buffer.flush(now, true)))
  await context.outbox.place()
  await refuseLive(task)
  let tokens = 0
  let events = 0
  for (let round = 1; ; round += 1) {
    tokens += await eraseRecords(task)
    events += await eraseEvents(task)
    await refuseLive(task)
    if (!(await isNamed(task))) break
    if (round === MAX_ROUNDS) throw tooManyChanges()
  }
  // The feed may still name the owner, to nodes that have not read that far: these are waited for, then it forgets.
  await barrier(context)
  await commit(context, { cutsFeed: true, events: [] })
  return { tokens, events }
}

const filterOf = ({ context, tenantIds }: Task): TokenFilter => ({
  prefix: context.settings.prefix,
  ...(tenantIds !== undefined && { tenantIds }),
})

// An expired token can be given another end, and would come back without the limits of its owner.
async function refuseLive(task: Task): Promise<void> {
  const { context, ownerId } = task
  const [live] = await context.store.list({
    ...filterOf(task),
    ownerId,
    statuses: ['active', 'pending', 'inactive', 'expired'],
    now: context.settings.clock(),
    limit: 1,
  })
  if (live !== undefined)
    throw new ConflictError('conflict', 'this owner has tokens that are not revoked: revoke them first with ownerGone()')
}

/** Did somebody write the owner into a record meanwhile? */
async function isNamed(task: Task): Promise<boolean> {
  const { context, ownerId } = task
  for (const by of [{ ownerId }, { createdBy: ownerId }]) {
    const found = await context.store.list({ ...filterOf(task), ...by, now: context.settings.clock(), limit: 1 })
    if (found.length > 0) return true
  }
  return false
}

async function eraseRecords(task: Task): Promise<number> {
  const { context, ownerId } = task
  let count = 0
  let after: ListedToken | undefined
  do {
    const page: readonly ListedToken[] = await context.store.list({
      ...filterOf(task),
      now: context.settings.clock(),
      limit: BATCH,
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    })
    const named = page.filter((token) => namesOwner(token, ownerId))
    if (named.length > 0) count += await eraseBatch(task, named)
    after = page.length === BATCH ? page.at(-1) : undefined
  } while (after !== undefined)
  return count
}

async function eraseBatch(task: Task, named: readonly ListedToken[]): Promise<number> {
  const { context, ownerId } = task
  // First: once a record does not name its owner any more, nobody finds these addresses.
  const own = named.filter((token) => token.ownerId === ownerId).map(({ id }) => id)
  const trim = { tokenIds: own, addressesBefore: Number.MAX_SAFE_INTEGER, lastAddresses: true } as const
  while (own.length > 0 && (await context.store.trimUsage(trim)));
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const ids = named.map(({ id }) => id)
    const current = await context.store.list({ ...filterOf(task), ids, now: context.settings.clock(), limit: ids.length })
    const updates = current.flatMap((token) => replacementOf(task, token))
    if (updates.length === 0) return 0
    const { ok } = await commit(context, { updates, events: updates.map(({ record }) => eventOf(task, aboutToken(record))) })
    if (ok) return updates.length
  }
  throw tooManyChanges()
}

function replacementOf({ context, ownerId }: Task, { lastUsedAt: _, lastUsedIp: __, ...token }: ListedToken): readonly Replacement[] {
  const stored: StoredToken = token
  // One that came to life since it was looked at stays whole, until it is ended.
  if (!namesOwner(stored, ownerId) || (stored.ownerId === ownerId && stored.revokedAt === undefined)) return []
  return [{ expectedVersion: stored.version, record: eraseRecord(stored, ownerId, context.settings.clock()) }]
}

async function eraseEvents(task: Task): Promise<number> {
  const { context, tenantIds } = task
  let count = 0
  let after = 0
  let tries = 0
  for (;;) {
    const page = await context.store.events({
      prefix: context.settings.prefix,
      order: 'oldest',
      after,
      limit: EVENTS_A_BATCH,
      ...(tenantIds !== undefined && { tenantIds }),
    })
    const erased = await eraseFromPage(task, page)
    tries = erased === undefined ? tries + 1 : 0
    if (tries === MAX_TRIES) throw tooManyChanges()
    if (erased === undefined) continue
    count += erased
    const last = page.at(-1)
    if (last === undefined || page.length < EVENTS_A_BATCH) return count
    after = last.seq
  }
}

/** How many of these events lost fields; `undefined` where somebody else was at them: then they are read again. */
async function eraseFromPage(task: Task, page: readonly ListedEvent[]): Promise<number | undefined> {
  const { context, ownerId } = task
  const { events } = eraseFrom(page, personalTo(ownerId))
  if (events.length === 0) return 0
  // What is erased looks like tampering until a sealed event covers it.
  await commit(context, { events: coveringEvents(task, page) })
  await sealFirst(context)
  const before = new Map(page.map((event) => [event.seq, event]))
  const erasures = events.flatMap(({ seq, ...after }) => {
    const event = before.get(seq)
    return event === undefined ? [] : [{ before: event, after }]
  })
  const { ok } = await commit(context, { erasures, events: [] })
  return ok ? erasures.length : undefined
}

/** One event for each tenant, which names the places and fields that change: the administrators of a tenant see what happens to its audit, and no more. */
function coveringEvents(task: Task, page: readonly ListedEvent[]): readonly StoredEvent[] {
  const tenants = new Set(page.map(({ tenantId }) => tenantId))
  return [...tenants].flatMap((tenantId) => {
    const own = page.filter((event) => event.tenantId === tenantId)
    const { events, covers } = eraseFrom(own, personalTo(task.ownerId))
    if (events.length === 0) return []
    const details = { covers: covers.map(({ fields, seqs }) => ({ fields: [...fields], seqs: [...seqs] })) }
    return [{ ...eventOf(task, tenantId === undefined ? {} : { tenantId }), count: events.length, details }]
  })
}

function eventOf({ context, actor }: Task, about: Partial<StoredEvent>): StoredEvent {
  return {
    id: generateId(platformRandom),
    at: context.settings.clock(),
    action: 'owner.erased',
    prefix: context.settings.prefix,
    actorId: actor.id,
    ...about,
    ...(actor.ip !== undefined && { ip: actor.ip }),
  }
}
