import { coversOf, type ErasedEvent, eraseFrom } from '../../audit/erasure.js'
import { ConflictError } from '../../errors.js'
import { chunksOf } from '../../model/chunks.js'
import type { ListedEvent, StoredEvent } from '../../model/event.js'
import { ownFields } from '../../model/own-fields.js'
import type { TokenFilter } from '../../store/port.js'
import { readPage } from '../../store/read-page.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { Context } from '../../verify/context.js'
import type { ReadActor } from './actor.js'
import { commit, timeOfChange } from './change.js'
import { MAX_TRIES, tooManyChanges } from './line.js'
import { type Person, personalTo } from './personal.js'
import { sealFirst } from './seals.js'

/** Number of events per batch, about as many as one seal covers. */
const EVENTS_A_BATCH = 200
/** Number of records or events written per transaction, each with a statement of its own. Other changes wait while records are written. */
export const WRITTEN_AT_ONCE = 10
/** Number of events whose fields are replaced with commitments before other work runs. */
const HASHED_AT_ONCE = 10

/** Whose data is erased, in which tenants, and by which actor. */
export type Erasure = Person & {
  readonly context: Context
  readonly actor: ReadActor
  /** IDs of the tokens whose owner is or was erased. */
  readonly tokenIds: Set<string>
  readonly tenantIds: readonly string[] | undefined
  /** IDs of the tokens whose owner was erased in this call. */
  readonly erased: Set<string>
  /** IDs of the tokens that may name the owner but cannot be read. */
  readonly damaged: Set<string>
  /** Positions of the events that lost fields in this call. */
  readonly erasedEvents: Set<number>
  /** Positions of the events that name the owner but cannot be replaced. */
  readonly damagedEvents: Set<number>
  /** Lets other work run, once this call has run for a while. */
  readonly giveWay: () => Promise<void>
}

export const filterOf = ({ context, tenantIds }: Erasure): TokenFilter => ({
  prefix: context.settings.prefix,
  ...(tenantIds !== undefined && { tenantIds }),
})

/**
 * Refuses an erasure while the owner has a token that is not revoked. Expired tokens count too, because an edit could extend one, which would then work again
 * without the limits of its owner.
 */
export async function refuseLive(task: Erasure): Promise<void> {
  const { context, ownerId } = task
  const [live] = await context.store.list({
    ...filterOf(task),
    ownerId,
    statuses: ['active', 'pending', 'inactive', 'expired'],
    now: timeOfChange(context),
    limit: 1,
  })
  if (live !== undefined)
    throw new ConflictError('conflict', 'this owner has tokens that are not revoked: revoke them first with ownerGone()')
}

/** Erases the owner from every event. */
export async function eraseEvents(task: Erasure): Promise<void> {
  const { context, tenantIds } = task
  const query = { prefix: context.settings.prefix, order: 'oldest', ...(tenantIds !== undefined && { tenantIds }) } as const
  const read = (limit: number, from: number | undefined) => context.store.events({ ...query, after: from ?? 0, limit })
  let after = 0
  let tries = 0
  for (;;) {
    const { rows: page, more, end } = await readPage(EVENTS_A_BATCH, after, read, ({ seq }) => seq)
    const done = await eraseFromPage(task, page)
    tries = done ? 0 : tries + 1
    if (tries === MAX_TRIES) throw tooManyChanges()
    if (!done) continue
    if (end === undefined || !more) return
    after = end
  }
}

/** Returns whether it is done. If not, a concurrent change means that the events must be read again. */
async function eraseFromPage(task: Erasure, page: readonly ListedEvent[]): Promise<boolean> {
  const sound = page.filter((event) => !mayNotMatch(event))
  if (!(await eraseTogether(task, sound))) return false
  for (const event of page.filter(mayNotMatch)) {
    if (!task.damagedEvents.has(event.seq) && !(await eraseTogether(task, [event]))) task.damagedEvents.add(event.seq)
  }
  return true
}

async function eraseTogether(task: Erasure, page: readonly ListedEvent[]): Promise<boolean> {
  const { context } = task
  const erased: ErasedEvent[] = []
  for (const some of chunksOf(page, HASHED_AT_ONCE)) {
    erased.push(...eraseFrom(some, personalTo(task)))
    await task.giveWay()
  }
  if (erased.length === 0) return true
  // The events may be about a token that the owner created or was given only now. As long as it is not revoked, its trail must name its owner.
  await refuseLive(task)
  // Erased fields look like tampering until a sealed event covers them.
  await commit(context, { events: coveringEvents(task, erased) })
  await sealFirst(context)
  for (const some of chunksOf(erased, WRITTEN_AT_ONCE)) {
    const erasures = some.map(({ before, after: { seq: _, ...after } }) => ({ before, after }))
    const { ok } = await commit(context, { erasures, events: [] })
    if (!ok) return false
    for (const { before } of some) task.erasedEvents.add(before.seq)
  }
  return true
}

/** Returns whether the store may never replace this event, because it compares fields that could not be read. */
function mayNotMatch(event: ListedEvent): boolean {
  const { damaged } = ownFields(event)
  return damaged?.some((field) => field === 'salt' || field === 'erased') === true
}

/** Returns one event per tenant that names the changed places and fields. Administrators of a tenant see only the changes to their own audit log. */
function coveringEvents(task: Erasure, erased: readonly ErasedEvent[]): readonly StoredEvent[] {
  const tenants = new Set(erased.map(({ before }) => before.tenantId))
  return [...tenants].map((tenantId) => {
    const own = erased.filter(({ before }) => before.tenantId === tenantId)
    const covers = coversOf(own).map(({ fields, seqs }) => ({ fields: [...fields], seqs: [...seqs] }))
    return { ...eventOf(task, tenantId === undefined ? {} : { tenantId }), count: own.length, details: { covers } }
  })
}

/** Returns an `owner.erased` event. */
export function eventOf({ context, actor }: Erasure, about: Partial<StoredEvent>): StoredEvent {
  return {
    id: generateId(platformRandom),
    at: timeOfChange(context),
    action: 'owner.erased',
    prefix: context.settings.prefix,
    actorId: actor.id,
    ...about,
    ...(actor.ip !== undefined && { ip: actor.ip }),
  }
}
