import { canonicalJson } from '../../audit/canonical.js'
import { ACTIONS, type AuditAction, type ListedEvent } from '../../model/event.js'
import { FIELDS, type FieldName } from '../../model/fields.js'
import type { Json, JsonObject } from '../../model/json.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import { readPage } from '../../store/read-page.js'
import { givingWay } from '../../verify/build-context.js'
import type { Context } from '../../verify/context.js'
import { asJson, SHOWN } from './audit.js'

const PAGE = 500
/** The maximum number and size, in characters of JSON, of the changes that are read. Anything beyond that is unknown. */
const MAX_CHANGES = 10_000
const MAX_SIZE = 16 * 1024 * 1024

/** Whether an action changes the record of its event's token. */
const CHANGES_RECORD: Readonly<Record<AuditAction, boolean>> = {
  'token.created': true,
  'token.updated': true,
  'token.activated': true,
  'token.deactivated': true,
  'token.rotated': true,
  'token.revoked': true,
  'token.refused': false,
  'token.leaked': false,
  'token.pruned': false,
  'token.imported': true,
  'token.rotation_due': false,
  'token.expiring': false,
  'token.expired': false,
  'token.unused': false,
  'token.old_still_used': false,
  'token.reused': false,
  'tokens.revoked': true,
  'consumer.behind': false,
  'owner.changed': false,
  'owner.gone': false,
  'owner.transferred': false,
  'owner.erased': true,
  'management.refused': false,
}
const CHANGES = ACTIONS.filter((action) => CHANGES_RECORD[action])

/** Fields that affect no decision and may change without an audit event, for example when names are erased. */
const IGNORED: ReadonlySet<string> = new Set(['name', 'description', 'metadata'])
const FOLLOWED = SHOWN.filter((field) => !IGNORED.has(field))

const REVOCATION = ['revokedAt', 'revokedBy', 'revokedCode', 'revokedReason', 'bulkId'] as const

type Fields = { -readonly [Name in keyof StoredToken]?: unknown }

/** A past record and whether it is known. If it is not known, only its revocation is reliable. */
export type AsOf = { readonly record: StoredToken; readonly known: boolean }

/**
 * Rebuilds a record as it was at an instant by undoing its audit events, newest first.
 *
 * Never guesses. Each change must have left the record as the next one found it. In addition, either an older change is still in the audit log, or every change
 * since the creation was undone. Otherwise some events were removed or are too many to read, and the past record is unknown.
 */
export async function recordAsOf(context: Context, current: StoredToken, at: number): Promise<AsOf> {
  if (at >= current.updatedAt) return { record: current, known: true }
  const state: Fields = ownFields(current)
  let left = current.version - 1
  if (isAfter(current.revokedAt, at)) {
    // A bulk revocation writes one event for all of its tokens, without their fields.
    if (current.bulkId !== undefined) {
      left -= 1
      for (const field of REVOCATION) delete state[field]
    }
  }
  const known = await takeBack(context, current, state, at, left)
  // Revocation is final and stored with its instant, so no event is needed to undo it.
  if (isAfter(current.revokedAt, at)) for (const field of REVOCATION) delete state[field]
  return { record: state as StoredToken, known }
}

async function takeBack(context: Context, current: StoredToken, state: Fields, at: number, changes: number): Promise<boolean> {
  const { store } = givingWay(context)
  const query = { prefix: current.prefix, tokenId: current.id, actions: CHANGES }
  const read = (limit: number, from: number | undefined) => store.events({ ...query, limit, ...(from !== undefined && { after: from }) })
  let left = changes
  let [count, size] = [0, 0]
  let after: number | undefined
  while (count < MAX_CHANGES && size < MAX_SIZE) {
    const page = await readPage(PAGE, after, read, ({ seq }) => seq)
    for (const event of page.rows) {
      const isCreation = event.action === 'token.created' || event.action === 'token.imported'
      // The values that an erasure removed are unknown.
      if (event.action === 'owner.erased' && event.at > at) return false
      // A creation event may outlive later events, so it does not prove that those are complete.
      if (isCreation) return left === 0
      if (event.at <= at) return true
      // A revocation that wrote its record without its version was undone at the start, together with the bulk revocations.
      if (event.bulkId !== undefined && event.bulkId === current.bulkId) continue
      if (!undo(state, event)) return false
      left -= 1
    }
    if (!page.more) return left === 0
    after = page.end
    // Also counts a page without rows, because the store examined events for it.
    count += PAGE
    size += page.size
  }
  return false
}

/** Undoes one change if the record is as that change left it. */
function undo(state: Fields, { before = {}, after = {}, damaged }: ListedEvent): boolean {
  if (damaged !== undefined) return false
  for (const field of FOLLOWED) {
    if (!Object.hasOwn(after, field) && !Object.hasOwn(before, field)) continue
    const value = state[field]
    if (!isSame(value === undefined ? undefined : asJson(field, value as Json), own(after, field))) return false
    const earlier = own(before, field)
    if (earlier === undefined) delete state[field]
    else state[field] = fromJson(field, earlier)
  }
  return true
}

function own(fields: JsonObject, field: string): Json | undefined {
  return Object.hasOwn(fields, field) ? fields[field] : undefined
}

function fromJson(field: FieldName, value: Json): unknown {
  return FIELDS[field].kind === 'instant' ? Date.parse(String(value)) : value
}

// Databases do not preserve the order of keys.
function isSame(a: unknown, b: unknown): boolean {
  return (a === undefined) === (b === undefined) && canonicalJson(a) === canonicalJson(b)
}

function isAfter(instant: number | undefined, at: number): boolean {
  return instant !== undefined && instant > at
}
