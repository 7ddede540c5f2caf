import * as z from 'zod'
import { ownFields } from '../model/own-fields.js'
import { type Page, STATUSES, type TokenRecord, type TokenStatus } from '../model/record.js'
import { durationSchema } from '../policy/field-schema.js'
import { readShape, text } from '../policy/shape.js'
import { hasExpired } from '../policy/status.js'
import { noneOf } from '../policy/suggest.js'
import type { ListQuery } from '../store/port.js'
import { readPage } from '../store/read-page.js'
import { isTokenId } from '../token/parse.js'
import type { Context } from '../verify/context.js'
import { viewRecord } from '../verify/view-record.js'
import { type ReadActor, reachOf } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { MAX_CURSOR, positionOf, readCursor, writeCursor } from './lib/cursor.js'
import { idsSchema, visibleAmong } from './lib/ids.js'
import { withLastUse } from './lib/last-use.js'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1000

const word = text(1, 200)
const status = z.enum(STATUSES, { error: noneOf(STATUSES) })
/** Without a status filter, most of the unused tokens may have expired. The store itself can leave them out. */
const UNEXPIRED: readonly TokenStatus[] = STATUSES.filter((each) => each !== 'expired')
const flag = z.boolean({ error: 'must be true or false' })

type Given = {
  tenantId?: string | undefined
  ownerId?: string | undefined
  createdBy?: string | undefined
  status?: TokenStatus | TokenStatus[] | undefined
  name?: string | undefined
  id?: string | undefined
  ids?: readonly string[] | undefined
  rotationDue?: boolean | undefined
  expiresWithin?: number | undefined
  neverExpires?: boolean | undefined
  unusedFor?: number | undefined
  neverUsed?: boolean | undefined
  imported?: boolean | undefined
  notReplaced?: boolean | undefined
  limit?: number | undefined
  cursor?: string | undefined
}

/** Maximum number of rows on a page. */
export const limitShape: z.ZodType<number | undefined> = z
  .number({ error: `must be a whole number from 1 to ${MAX_LIMIT}` })
  .int({ error: `must be a whole number from 1 to ${MAX_LIMIT}` })
  .min(1, { error: 'must be at least 1' })
  .max(MAX_LIMIT, { error: `must be at most ${MAX_LIMIT}` })
  .meta({
    description:
      'Rows per page, 50 by default. A page may be shorter, for example if its records are very large: `nextCursor` says whether more follow.',
  })
  .optional()

/** Where the previous page ended. */
export const cursorShape: z.ZodType<string | undefined> = text(1, MAX_CURSOR)
  .meta({ description: 'The `nextCursor` of the previous page, with the same filters.' })
  .optional()

/** Input schema of `list`. */
export const listShape: z.ZodType<Given> = z.strictObject({
  tenantId: word.meta({ description: 'Only tokens of this tenant.' }).optional(),
  ownerId: word.meta({ description: 'Only tokens of this owner.' }).optional(),
  createdBy: word.meta({ description: 'Only tokens that this actor created.' }).optional(),
  status: z
    .union([status, z.array(status)], { error: noneOf(STATUSES, true) })
    .meta({ description: 'Only tokens with one of these statuses.' })
    .optional(),
  name: text(0, 65_536).meta({ description: 'Part of the name. The case of ASCII letters is ignored.' }).optional(),
  id: text(0, 200).meta({ description: 'The first characters of the ID, or of the token as it is shown: `acme_live_4kQ0…`.' }).optional(),
  ids: idsSchema.meta({ description: 'Only these tokens, at most 100; those that you cannot see are omitted.' }).optional(),
  rotationDue: flag.meta({ description: 'Only tokens that are due for rotation.' }).optional(),
  expiresWithin: durationSchema().meta({ description: 'Only tokens that expire within this time and have not expired yet.' }).optional(),
  neverExpires: flag.meta({ description: 'Only tokens that never expire.' }).optional(),
  unusedFor: durationSchema()
    .meta({
      description:
        'Only tokens that are older than this and have not been used for this long. Expired tokens are left out, unless `status` includes `expired`.',
    })
    .optional(),
  neverUsed: flag
    .meta({ description: 'Only tokens that were never used. Expired tokens are left out, unless `status` includes `expired`.' })
    .optional(),
  imported: flag.meta({ description: 'Only imported tokens that are still in the format of another system.' }).optional(),
  notReplaced: flag.meta({ description: 'Only tokens that were not replaced by a rotation.' }).optional(),
  limit: limitShape,
  cursor: cursorShape,
})

/**
 * Returns one page of tokens, newest first, limited to what the actor can see.
 *
 * @throws InvalidInputError `invalid_input`, including for a cursor from a different query
 */
export async function list(context: Context, actor: ReadActor, input: unknown): Promise<Page<TokenRecord>> {
  const given = readShape(listShape, input === undefined ? {} : input, 'list()')
  const limit = given.limit ?? DEFAULT_LIMIT
  const { limit: _, cursor, ...asked } = given
  const bound = ['list', context.settings.prefix, asked, actor.tenants, actor.manages === 'own' ? actor.id : null]
  const now = context.settings.clock()
  const after = cursor === undefined ? startOf(given, now) : positionOf(readCursor(cursor, bound, 2))
  const query = queryFor(context.settings.prefix, given, actor, now)
  if (query === undefined) {
    noteOutOfReach(context, actor, 'list', {})
    return { items: [] }
  }
  const { rows, more, end } = await readPage(
    limit,
    after,
    (wanted, from) => context.store.list({ ...query, limit: wanted, ...(from !== undefined && { after: from }) }),
    ({ createdAt, id }) => ({ createdAt, id }),
    (token) => token.revokedAt !== undefined || !leavesOutExpired(given) || !hasExpired(token, now),
    DEFAULT_LIMIT + 1,
  )
  if (after === undefined) await noteUnseen(context, actor, query, rows.length)
  return {
    items: rows.map((row) => viewRecord(withLastUse(context, row), now)),
    ...(more && end !== undefined && { nextCursor: writeCursor([end.createdAt, end.id], bound) }),
  }
}

// Other filters leave out tokens that the actor can see, so the named tokens that are missing are read without them.
async function noteUnseen(context: Context, actor: ReadActor, query: Omit<ListQuery, 'limit' | 'after'>, listed: number): Promise<void> {
  const { now, idStartsWith = '', ids } = ownFields(query)
  const named = ids ?? (isTokenId(idStartsWith) ? [idStartsWith] : [])
  if (listed < new Set(named).size && reachOf(actor) !== 'all') await visibleAmong(context, actor, 'list', named, now)
}

// A token younger than `unusedFor` cannot have been unused for that long. The list is ordered by creation, so it can start at that instant.
function startOf({ unusedFor }: Given, now: number): { readonly createdAt: number; readonly id: string } | undefined {
  return unusedFor === undefined ? undefined : { createdAt: now - unusedFor * 1000, id: '' }
}

/** Returns whether the list leaves out expired tokens, because an expired token needs no action. */
function leavesOutExpired({ unusedFor, neverUsed, status }: Given): boolean {
  return (unusedFor !== undefined || neverUsed === true) && ![status].flat().includes('expired')
}

/**
 * Extracts the beginning of a token ID from search text: either the text itself or what follows the prefix, as in a hint. Returns `null` when no ID can
 * begin with that text.
 */
function idIn(prefix: string, given: string): string | null {
  const shown = given.replace(/…$/, '')
  const id = shown.startsWith(`${prefix}_`) ? shown.slice(prefix.length + 1) : shown
  return /^[0-9A-Za-z]{0,16}$/.test(id) ? id : null
}

// Returns `undefined` when no token that this actor can see can match.
function queryFor(prefix: string, given: Given, actor: ReadActor, now: number): Omit<ListQuery, 'limit' | 'after'> | undefined {
  const { tenantId, ownerId, createdBy, name } = given
  const idStartsWith = given.id === undefined ? undefined : idIn(prefix, given.id)
  if (idStartsWith === null) return undefined
  if (tenantId !== undefined && actor.tenants !== undefined && !actor.tenants.includes(tenantId)) return undefined
  if (actor.manages === 'own' && createdBy !== undefined && createdBy !== actor.id) return undefined
  const tenantIds = tenantId === undefined ? actor.tenants : [tenantId]
  const creator = actor.manages === 'own' ? actor.id : createdBy
  // A caller can repeat a value a thousand times in one URL, and a SQL store queries each value in each tenant.
  const asked = given.status ?? (leavesOutExpired(given) ? UNEXPIRED : undefined)
  const statuses = asked === undefined ? undefined : [...new Set([asked].flat())]
  const { expiresWithin, unusedFor } = given
  return {
    prefix,
    now,
    ...(tenantIds !== undefined && { tenantIds }),
    ...(given.ids !== undefined && { ids: given.ids }),
    ...(ownerId !== undefined && { ownerId }),
    ...(creator !== undefined && { createdBy: creator }),
    ...(statuses !== undefined && { statuses }),
    ...(name !== undefined && name !== '' && { nameContains: name }),
    ...(idStartsWith !== undefined && idStartsWith !== '' && { idStartsWith }),
    ...(given.rotationDue === true && { rotationDue: true }),
    ...(expiresWithin !== undefined && { expiresFrom: now + 1, expiresBefore: now + expiresWithin * 1000 }),
    ...(given.neverExpires === true && { neverExpires: true }),
    ...(unusedFor !== undefined && { unusedSince: now - unusedFor * 1000 }),
    ...(given.neverUsed === true && { neverUsed: true }),
    ...(given.imported === true && { imported: true }),
    ...(given.notReplaced === true && { notReplaced: true }),
  }
}
