import { ConflictError, InvalidInputError, NotFoundError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { StoredToken, TokenRecord } from '../../model/record.js'
import type { Change, CommitResult } from '../../store/port.js'
import { isTokenId } from '../../token/parse.js'
import { redact } from '../../token/redact.js'
import type { Context } from '../../verify/context.js'
import { viewRecord } from '../../verify/view-record.js'
import { canSee, type ReadActor } from './actor.js'

/** Others may get in between this often before a change without a version gives up. */
const MAX_TRIES = 200

/**
 * Commits, and makes sure that no later verification in this process sees what was before, whatever became of the commit.
 *
 * @throws StoreUnavailableError `store_unavailable`; the change may or may not have been made
 */
export async function commit(context: Context, change: Change): Promise<CommitResult> {
  try {
    const result = await context.store.commit(change)
    if (result.ok) context.announce(change.events)
    return result
  } finally {
    for (const { id } of change.inserts ?? []) context.records.changed(id)
    for (const { record } of change.updates ?? []) context.records.changed(record.id)
    for (const id of change.removals ?? []) context.records.changed(id)
  }
}

/**
 * Is this a text, and not the token itself, which no id ever is? The message does not repeat it.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function checkId(field: string, id: unknown): asserts id is string {
  if (typeof id !== 'string') throw new InvalidInputError(field, 'must be the id of a token, a string')
  if (redact(id) !== id) throw new InvalidInputError(field, 'is a token, which is kept nowhere: give its id, as in record.id')
}

/**
 * The stored token, from the primary, if this actor may see it.
 *
 * @throws NotFoundError `not_found`
 */
export async function findVisible(context: Context, id: unknown, actor: ReadActor): Promise<StoredToken> {
  checkId('id', id)
  if (!isTokenId(id)) throw new NotFoundError(id)
  const found = await context.store.findOne(id)
  if (found === undefined || found.prefix !== context.settings.prefix || !canSee(actor, found)) throw new NotFoundError(id)
  // Another node may have changed it since it was cached here: what this call answers by, later verifications see too.
  context.records.changed(id)
  return found
}

/** What a change makes of a token: the new record and the event, or nothing where there is nothing to do. */
export type Step = { readonly record: StoredToken; readonly event: StoredEvent } | undefined

/**
 * Reads a token, changes it, and writes it back only if nobody else has in between; else starts over with what they left.
 *
 * @throws NotFoundError `not_found`
 * @throws ConflictError `conflict`, when `version` was given and is not the present one
 */
export async function changeToken(
  context: Context,
  id: unknown,
  actor: ReadActor,
  version: unknown,
  step: (current: StoredToken, now: number) => Step,
): Promise<TokenRecord> {
  const expected = readVersion(version)
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const current = await findVisible(context, id, actor)
    if (expected !== undefined && current.version !== expected) throw staleVersion(current)
    const now = context.settings.clock()
    const next = step(current, now)
    if (next === undefined) return viewRecord(current, now)
    const result = await commit(context, {
      updates: [{ expectedVersion: current.version, record: next.record }],
      events: [next.event],
    })
    if (result.ok) return viewRecord(next.record, now)
  }
  throw new ConflictError('conflict', 'this token is being changed by others all the time: try again')
}

/** The record with the changes laid over it; a value of `undefined` removes the field. */
export function withChanges(current: StoredToken, now: number, changes: Partial<Record<keyof StoredToken, unknown>>): StoredToken {
  const merged = { ...current, ...changes, version: current.version + 1, updatedAt: now }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as StoredToken
}

function readVersion(version: unknown): number | undefined {
  if (version === undefined) return undefined
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 1) return version
  throw new InvalidInputError('version', 'must be the version of the record that you read, a whole number')
}

function staleVersion(current: StoredToken): ConflictError {
  return new ConflictError('conflict', `somebody else changed this token: it is at version ${current.version} now. Read it again.`, {
    field: 'version',
    version: current.version,
  })
}
