import { randomUUID } from 'node:crypto'
import { StoreMovingError } from '../../../src/errors.js'
import type { ListedToken, StoredToken } from '../../../src/model/record.js'
import { foldAscii } from '../../../src/policy/fold-ascii.js'
import { onlyCutsFeed, prefixOf } from '../../../src/store/moving.js'
import {
  type Change,
  type CommitResult,
  type DistinctQuery,
  type EventErasure,
  type ListQuery,
  MOST_SEARCHED,
  type TokenCap,
  type TokenPage,
} from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEvent, decodeTokenOf, encodeEvent, encodeOwner, encodeToken, groupsOf, listOf, unexpected } from './encode.js'
import { indexFilter, wellFormed } from './filter.js'
import { nameOf, ownerIndex, ownersOf, personIndex, prefixIndex, tenantIndex, tenantsOf } from './keys.js'
import { scripts } from './scripts.js'

/** The number of tokens that one step of a list examines, which takes the server one or two milliseconds. */
const LIST_STEP = 500

/** The channel that announces changes, and the number of changes to keep. */
export type FeedPlace = { readonly history: number; readonly channel: string }

/**
 * Returns the tokens with these IDs, and whether a bulk revocation is still to be written into its tokens.
 *
 * One MGET atomically reads the records and whether such a revocation is pending. Only then does a script apply it.
 */
export async function findTokens(connection: Connection, ids: readonly string[]): Promise<{ tokens: StoredToken[]; pending: boolean }> {
  const wanted = ids.length === 1 ? ids : [...new Set(ids)]
  const records = listOf(await connection.getMany([...wanted.map((id) => `r:${id}`), 'job:on'])).slice()
  const pending = records.pop() !== null
  const found = pending ? listOf(await connection.run(scripts.find, wanted)) : records
  return { tokens: wanted.flatMap((id, at) => (found[at] == null ? [] : decodeTokenOf(id, found[at]))), pending }
}

/** Commits a change. `settle` writes a pending bulk revocation into all of its tokens, so that live tokens that it may revoke can be counted. */
export async function commitChange(
  connection: Connection,
  change: Change,
  { history, channel }: FeedPlace,
  settle: () => Promise<void>,
): Promise<CommitResult> {
  const { inserts = [], updates = [], removals = [], ownersChanged = [], erasures = [], caps = [], events } = change
  const stored = await storedErasures(connection, erasures)
  if (typeof stored === 'string') return { ok: false, conflict: stored }
  const args = [
    inserts.length,
    updates.length,
    removals.length,
    ownersChanged.length,
    events.length,
    caps.length,
    history,
    channel,
    randomUUID(),
    erasures.length,
    change.cutsFeed ?? '-',
    fencedPrefixOf(change),
    ...inserts.flatMap(encodeToken),
    ...updates.flatMap(({ expectedVersion, record }) => [expectedVersion, ...encodeToken(record)]),
    ...removals,
    ...ownersChanged.map(encodeOwner),
    ...events.flatMap(encodeEvent),
    ...caps.flatMap((cap) => [capIndex(cap), cap.max, cap.now, countedBy(cap)]),
    ...stored.flat(),
  ]
  for (;;) {
    const answer = String(await connection.run(scripts.commit, args))
    if (answer === '') return { ok: true }
    if (answer === 'fenced by a move') throw new StoreMovingError()
    const [word, position] = answer.split(' ')
    if (word === 'exceeded' && position !== undefined) return { ok: false, exceeded: Number(position) }
    if (answer === 'busy') await settle()
    else if (isNamedIn(change, answer)) return { ok: false, conflict: answer }
    else throw unexpected()
  }
}

/** Returns whether this is the ID of a token or event in the change. Only such an ID can be its conflict. */
function isNamedIn({ inserts = [], updates = [], erasures = [], events }: Change, id: string): boolean {
  const named = [...inserts, ...updates.map(({ record }) => record), ...events, ...erasures.map(({ before }) => before)]
  return named.some((one) => one.id === id)
}

/** Returns the prefix whose move may refuse a change, as JSON; empty if the move of any prefix may refuse it, and `-` if none may. */
function fencedPrefixOf(change: Change): string {
  if (onlyCutsFeed(change)) return '-'
  const prefix = prefixOf(change)
  return prefix === undefined ? '' : JSON.stringify(prefix)
}

/** Encodes erasures as script arguments, or returns the ID of an event that is not as expected. The script compares whole bodies. */
async function storedErasures(connection: Connection, erasures: readonly EventErasure[]): Promise<readonly (readonly string[])[] | string> {
  if (erasures.length === 0) return []
  const bodies = listOf(await connection.getMany(erasures.map(({ before }) => `ev:${before.id}`)))
  const rows: (readonly string[])[] = []
  for (const [index, { before, after }] of erasures.entries()) {
    const body = bodies[index]
    const event = body === null || body === undefined ? undefined : decodeEvent(body)
    const isAs = event?.prefix === before.prefix && event.salt === before.salt
    if (event === undefined || !isAs || JSON.stringify(event.erased) !== JSON.stringify(before.erased)) return before.id
    const [, , oldIndexes] = encodeEvent(event)
    const [id, left, indexes] = encodeEvent(after)
    rows.push([id, String(body), left, oldIndexes, indexes])
  }
  return rows
}

function capIndex(cap: TokenCap): string {
  return cap.ownerId === undefined ? tenantIndex(cap.prefix, cap.tenantId) : personIndex(cap.prefix, cap.tenantId, cap.ownerId)
}

/** Returns the indexes of the prefix, tenant and owner whose tokens a cap counts, as a token with these has them. */
function countedBy({ prefix, tenantId, ownerId }: TokenCap): string {
  const indexes = [
    prefixIndex(prefix),
    ...(tenantId === undefined ? [] : [tenantIndex(prefix, tenantId)]),
    ...(ownerId === undefined ? [] : [ownerIndex(prefix, ownerId)]),
  ]
  return `\n${indexes.join('\n')}\n`
}

/** Reads one page in steps. Each step examines a limited number of tokens, and continues where the last one stopped. */
export async function listTokens(connection: Connection, query: ListQuery): Promise<TokenPage> {
  const { statuses, nameContains, idStartsWith, rotationDue, rotationDueFrom, expiresFrom, expiresBefore, now, limit } = query
  const { neverExpires, unusedSince, neverUsed, notReplaced } = query
  const name = nameContains === undefined ? undefined : foldAscii(nameContains)
  const filter = {
    ...indexFilter(query),
    ...{ statuses, idStartsWith, rotationDue, rotationDueFrom, expiresFrom, expiresBefore, now },
    ...{ neverExpires, unusedSince, neverUsed, notReplaced },
    budget: LIST_STEP,
    name: name === undefined ? undefined : wellFormed(name),
    most: MOST_SEARCHED,
  }
  const page: ListedToken[] = []
  let behind: { score?: number; id?: string } =
    query.after === undefined ? {} : { score: query.after.createdAt, id: wellFormed(query.after.id) }
  while (page.length < limit) {
    const answer = listOf(await connection.run(scripts.list, [JSON.stringify({ ...filter, ...behind, limit: limit - page.length })]))
    if (answer[0] === 'too wide') return Object.assign([], { tooWide: 'store' as const })
    for (const [id, record, lastUsedAt, lastUsedIp] of groupsOf(answer, 4, 2)) {
      const token = decodeTokenOf(String(id), record)
      // The script compares UTF-8, in which all halves of surrogate pairs are equal.
      if (name !== undefined && !foldAscii(token.name ?? '').includes(name)) continue
      page.push({
        ...token,
        ...(lastUsedAt === '' ? {} : { lastUsedAt: Number(lastUsedAt) }),
        ...(lastUsedIp === '' ? {} : { lastUsedIp: String(lastUsedIp) }),
      })
    }
    if (answer[0] === '') break
    behind = { score: Number(answer[0]), id: String(answer[1]) }
  }
  return page
}

/** Returns one page of the tenants or owners of a prefix, or of the owners of a tenant. Each of these sets has its own list. */
export async function distinctOf(
  connection: Connection,
  { prefix, field, tenantId, after, limit }: DistinctQuery,
): Promise<readonly string[]> {
  const list = field === 'tenantId' ? tenantsOf(prefix) : ownersOf(prefix, tenantId)
  const from = after === undefined ? '-' : `(${list.index(after)}`
  return listOf(await connection.run(scripts.distinct, [list.key, from, limit])).map(nameOf)
}
