import * as z from 'zod'
import type { RecordCache } from '../../cache/records.js'
import { ConflictError, InvalidInputError, NotFoundError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { MaybePromise } from '../../model/json.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken, TokenRecord } from '../../model/record.js'
import { readClock } from '../../policy/instant.js'
import { unawaited } from '../../policy/misgiven.js'
import { readShape } from '../../policy/shape.js'
import { deferred } from '../../store/deferred.js'
import type { Addition, Change, CommitResult, TokenCap } from '../../store/port.js'
import { isTokenId } from '../../token/parse.js'
import { redact } from '../../token/redact.js'
import type { Context } from '../../verify/context.js'
import { changeInTurn } from '../../verify/in-turn.js'
import { viewRecord } from '../../verify/view-record.js'
import { canSee, type ReadActor } from './actor.js'
import { about, concerning } from './attempts.js'
import { capsOnNew, tokenLimitReached } from './caps.js'
import { mustWait, takingTurns, type Urgency } from './line.js'
import { noticesOf } from './notices-of.js'
import { revokeOutright } from './revoke-outright.js'
import { join, placeEvents } from './waits.js'

/**
 * Reads the time of a change from the `clock` option. An invalid time must not decide which tokens have ended, nor be written anywhere.
 *
 * @throws StoreUnavailableError `store_unavailable`, if the time is invalid
 */
export function timeOfChange({ settings }: Context): number {
  return readClock(settings.clock, 'nothing can be changed')
}

/** Whether a change was committed. */
type Committed = Exclude<CommitResult, { readonly exceeded: number }>

/**
 * Commits a change. Makes sure that no later verification in this process uses the previous state, regardless of the result of the commit.
 *
 * New tokens count against the `maxTokens` option. A change that makes tokens live again in another way names its caps.
 *
 * @throws StoreUnavailableError `store_unavailable`; the change may or may not have been made
 * @throws ConflictError `token_limit_reached`
 */
export async function commit(context: Context, given: Change): Promise<Committed> {
  const change = ownFields(given)
  try {
    return await commitAlone(context, change)
  } catch (error) {
    // The caller may have stopped waiting while the store is still busy with the change.
    context.records.changedAll(idsIn(change))
    throw error
  }
}

function idsIn({ inserts = [], updates = [], removals = [] }: Change): readonly string[] {
  return [...inserts.map(({ id }) => id), ...updates.map(({ record }) => record.id), ...removals]
}

/** Makes changes to the same token one after another. */
async function commitAlone(context: Context, change: Change): Promise<Committed> {
  const id = change.updates?.[0]?.record.id
  const tenantId = change.events[0]?.tenantId
  if (id === undefined) return await changeInTurn(context, 'commit', tenantId, (inTurn) => commitNow(inTurn, change))
  const commits = commitsOf(context)
  // The version that this change expects is about to be replaced. Committing would only wait for the store's locks and then conflict.
  const afterOther = async (other: Promise<unknown>): Promise<Committed> => {
    // The failure of the other change says nothing about this one.
    await join(
      context,
      'another change to this token',
      'store.commit',
      other.catch(() => undefined),
    )
    return { ok: false, conflict: id }
  }
  const other = commits.get(id)
  if (other !== undefined) return await afterOther(other)
  const mine = deferred<Committed>()
  mine.resolve(
    changeInTurn(
      context,
      'commit',
      tenantId,
      async (inTurn) => {
        const earlier = commits.get(id)
        if (earlier !== undefined) return await afterOther(earlier)
        commits.set(id, mine.promise)
        return await commitNow(inTurn, change)
      },
      change.updates?.map(({ record }) => record),
    ),
  )
  try {
    return await mine.promise
  } finally {
    // From now on, other changes do not have to wait, even if the store is still busy with this one after its caller gave up.
    if (commits.get(id) === mine.promise) commits.delete(id)
  }
}

/** Commits in progress in this process, per instance and by token. */
const underWay: WeakMap<RecordCache, Map<string, Promise<unknown>>> = new WeakMap()

function commitsOf({ records }: Context): Map<string, Promise<unknown>> {
  const commits = underWay.get(records) ?? new Map<string, Promise<unknown>>()
  underWay.set(records, commits)
  return commits
}

async function commitNow(context: Context, change: Change): Promise<Committed> {
  const caps = change.caps ?? capsOnNew(context, change)
  // The creation must come before the token's first change in the audit log, even if it was part of a host transaction.
  const unchanged = change.updates?.filter(({ expectedVersion }) => expectedVersion === 1).map(({ record }) => record.id) ?? []
  if (unchanged.length > 0) await placeEvents(context, unchanged)
  const result = await context.records.changing(idsIn(change), () => context.store.commit(caps.length === 0 ? change : { ...change, caps }))
  if (result.exceeded !== undefined) throw about(tokenLimitReached(caps, result.exceeded), change.updates?.[0]?.record)
  if (result.ok) context.announce(change.events)
  return result
}

/**
 * Like `commit`, but inside a transaction that the host commits or rolls back. Nothing is announced before it is committed.
 *
 * @throws InvalidInputError `invalid_input`, with field `transaction`
 * @throws ConflictError `token_limit_reached`
 */
export async function commitIn(
  context: Context,
  transaction: object,
  given: Addition,
): Promise<{ readonly ok: boolean; readonly stored?: StoredToken | undefined }> {
  const { store, records, outbox } = context
  const change = ownFields(given)
  const caps = capsOnNew(context, change)
  for (const { id } of change.inserts ?? []) records.expect(id)
  const result = await store.commitIn(transaction, caps.length === 0 ? change : { ...change, caps })
  if (!result.ok) for (const { id } of change.inserts ?? []) records.expectNot(id)
  if (result.refused !== undefined) throw new InvalidInputError('transaction', result.refused)
  if (result.exceeded !== undefined) throw tokenLimitReached(caps, result.exceeded)
  if (result.ok) {
    outbox.expect()
    context.scheduleFlush()
  }
  return result
}

/**
 * Checks that an ID is a string and not the token itself. The message does not repeat the token.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function checkId(field: string, id: unknown): asserts id is string {
  if (typeof id !== 'string') throw new InvalidInputError(field, `must be the ID of a token (a string), as in record.id${unawaited(id)}`)
  if (redact(id) !== id) throw new InvalidInputError(field, 'is a token, and tokens are never stored: pass its ID, as in record.id')
}

/** Returns the stored token from the primary, if this actor can see it. */
export async function seenBy(context: Context, actor: ReadActor, id: string): Promise<StoredToken | undefined> {
  const { prefix } = context.settings
  // The prefix of a damaged token may be unreadable.
  const maySee = (token: Partial<StoredToken>): boolean => (token.prefix ?? prefix) === prefix && canSee(actor, token)
  const found = isTokenId(id) ? await context.store.findOne(id, maySee) : undefined
  return found !== undefined && maySee(found) ? found : undefined
}

/**
 * Like `seenBy`, but throws when there is no such token.
 *
 * @throws NotFoundError `not_found`
 */
export async function findVisible(context: Context, id: unknown, actor: ReadActor): Promise<StoredToken> {
  checkId('id', id)
  const found = await seenBy(context, actor, id)
  if (found === undefined) throw new NotFoundError(id)
  // Another node may have changed the token since this node cached it. Later verifications must see the version that this call returns.
  context.records.shown(id)
  return found
}

/** Result of a change: the new record and its event, or nothing if there is nothing to change. */
export type Step = { readonly record: StoredToken; readonly event: StoredEvent; readonly caps?: readonly TokenCap[] } | undefined

/**
 * Reads a token, changes it, and writes it back only if it has not been changed in the meantime. Otherwise starts over with the new version. A revocation
 * that has lost several times no longer depends on the version.
 *
 * @throws NotFoundError `not_found`
 * @throws ConflictError `conflict`, when `version` is passed and is not the current version, or after too many concurrent changes
 */
export async function changeToken(
  context: Context,
  id: unknown,
  actor: ReadActor,
  version: number | undefined,
  urgency: Urgency,
  step: (current: StoredToken, now: number) => MaybePromise<Step>,
): Promise<TokenRecord> {
  return await takingTurns(context, id, urgency, async (inTurn, isOutrun) => {
    const current = await findVisible(context, id, actor)
    if (version !== undefined && current.version !== version) throw staleVersion(current)
    const now = timeOfChange(context)
    const made = await concerning(current, () => step(current, now))
    if (made === undefined) return viewRecord(current, now)
    const next = ownFields(made)
    const events = [next.event, ...(await noticesOf(context, current, next.record, now))]
    if (!inTurn && mustWait(context, current.id, urgency)) return undefined
    if (isOutrun) {
      await revokeOutright(context, next.record, next.event)
      return undefined
    }
    const updates = [{ expectedVersion: current.version, record: next.record }]
    const result = await commit(context, { updates, events, ...(next.caps !== undefined && { caps: next.caps }) })
    return result.ok ? viewRecord(next.record, now) : undefined
  })
}

/** Returns the record with the changes applied. A value of `undefined` removes the field. */
export function withChanges(current: StoredToken, now: number, changes: Partial<Record<keyof StoredToken, unknown>>): StoredToken {
  const merged = { ...current, ...changes, version: current.version + 1, updatedAt: now }
  return ownFields(Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))) as StoredToken
}

const versionShape = z.strictObject({
  version: z
    .int({ error: 'must be the version of the record that you read, an integer' })
    .min(1, { error: 'must be the version of the record that you read, an integer' })
    .optional(),
})

/**
 * Reads the options of a change and returns the version that it expects, if any.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readVersion(options: unknown): number | undefined {
  return options === undefined ? undefined : readShape(versionShape, options, 'options').version
}

function staleVersion(current: StoredToken): ConflictError {
  return new ConflictError('conflict', `this token has changed: it is now at version ${current.version}; read it again`, {
    field: 'version',
    version: current.version,
  })
}
