import type { AuditAction, StoredEvent } from '../../model/event.js'
import type { ListedToken, StoredToken } from '../../model/record.js'
import type { UsageBatch } from '../../model/usage.js'
import type { FeedPage, ListQuery, RevocationStamp, TokenStore } from '../../store/port.js'
import { ensureEqual } from '../assert.js'
import { randomText } from '../random.js'
import type { Stage } from './types.js'

/** The time at which every case starts. */
export const START = 1_700_000_000_000

/** Creates a prefix that no other case uses. */
export function newPrefix(): string {
  return `t${randomText(15).toLowerCase()}`
}

/** Creates a token with the required fields, plus `fields`. */
export function token(prefix: string, fields: Partial<StoredToken> = {}): StoredToken {
  const createdAt = fields.createdAt ?? START
  return {
    id: randomText(16),
    version: 1,
    prefix,
    digest: Array.from({ length: 64 }, () => Math.floor(Math.random() * 16).toString(16)).join(''),
    name: 'Warehouse integration',
    scopes: ['inventory:read'],
    createdAt,
    createdBy: 'alice',
    updatedAt: createdAt,
    ...fields,
  }
}

/** Creates an audit event with the required fields, plus `fields`. */
export function event(prefix: string, fields: Partial<StoredEvent> = {}): StoredEvent {
  const action: AuditAction = 'token.created'
  return { id: randomText(20), at: START, action, prefix, actorId: 'alice', ...fields }
}

/** Returns the next version of a token. */
export function changed(old: StoredToken, fields: Partial<StoredToken>): StoredToken {
  return { ...old, version: old.version + 1, updatedAt: old.updatedAt + 1, ...fields }
}

/** Inserts tokens into a store, a hundred per commit, each with its event. */
export async function insert(store: TokenStore, tokens: readonly StoredToken[]): Promise<void> {
  for (let start = 0; start < tokens.length; start += 100) {
    const inserts = tokens.slice(start, start + 100)
    const events = inserts.map((made) => event(made.prefix, { tokenId: made.id, at: made.createdAt }))
    ensureEqual(await store.commit({ inserts, events }), { ok: true }, 'commit() must accept new tokens with new IDs')
  }
}

/** Creates one token and inserts it into the stage's store. */
export async function inserted(stage: Stage, fields: Partial<StoredToken> = {}): Promise<StoredToken> {
  const made = token(stage.prefix, fields)
  await insert(stage.store, [made])
  return made
}

/** Commits one update with its event. */
export async function replace(store: TokenStore, old: StoredToken, fields: Partial<StoredToken>): Promise<StoredToken> {
  const record = changed(old, fields)
  const events = [event(old.prefix, { action: 'token.updated', tokenId: old.id })]
  const result = await store.commit({ updates: [{ expectedVersion: old.version, record }], events })
  ensureEqual(result, { ok: true }, 'commit() must accept an update that expects the current version')
  return record
}

/** Returns the stored record with this ID, if there is one. */
export async function findOne(store: TokenStore, id: string): Promise<StoredToken | undefined> {
  const [found, ...more] = await store.find([id])
  ensureEqual(more.length, 0, 'find([id]) must return at most one record')
  return found
}

/** Lists tokens with the required parts of a query, plus `query`. */
export async function list(stage: Stage, query: Partial<ListQuery> = {}): Promise<readonly ListedToken[]> {
  return stage.store.list({ prefix: stage.prefix, now: START, limit: 1000, ...query })
}

/** Returns the names of the listed tokens, in list order. */
export async function listNames(stage: Stage, query: Partial<ListQuery> = {}): Promise<string[]> {
  return (await list(stage, query)).map(({ name }) => name)
}

/** Returns the IDs of the prefix's events, newest first. */
export async function eventIds(stage: Stage, store: TokenStore = stage.store): Promise<string[]> {
  return (await store.events({ prefix: stage.prefix, limit: 1000 })).map(({ id }) => id)
}

/** Creates a usage batch with the required fields, plus `fields`. */
export function batch(fields: Partial<UsageBatch>): UsageBatch {
  return { nodeId: randomText(12), seq: 1, at: START, counts: [], addresses: [], lastUses: [], ...fields }
}

/** Creates the stamp of a bulk revocation, with a new ID. */
export function bulkStamp(fields: Partial<RevocationStamp> = {}): RevocationStamp {
  return { revokedAt: START + 5000, revokedBy: 'carol', revokedCode: 'bulk', bulkId: randomText(16), ...fields }
}

/** Creates the event that a bulk revocation writes for each tenant. */
export function bulkEvent(prefix: string, { bulkId, revokedBy }: RevocationStamp, fields: Partial<StoredEvent> = {}): StoredEvent {
  return event(prefix, { action: 'tokens.revoked', actorId: revokedBy, bulkId, ...fields })
}

/** The feed entries after a cursor, up to the end of the feed. */
export type FeedNews = Pick<FeedPage, 'cursor' | 'ids' | 'owners' | 'bulk' | 'everything'>

/** Reads the feed from a cursor to its end. */
export async function readFeed(store: TokenStore, after: string, limit = 100): Promise<FeedNews> {
  let news: FeedNews = { cursor: after, ids: [], owners: [], bulk: [], everything: false }
  for (;;) {
    const page = await store.changes(news.cursor, limit)
    news = {
      cursor: page.cursor,
      ids: [...news.ids, ...page.ids],
      owners: [...news.owners, ...page.owners],
      bulk: [...news.bulk, ...page.bulk],
      everything: news.everything || page.everything,
    }
    if (!page.more) return news
  }
}

/** Sends a batch again if the store fails, as a node does: on a busy machine, a wait for a lock may time out. */
export async function sendOnceMore(store: TokenStore, counted: UsageBatch): Promise<unknown> {
  try {
    return await store.recordUsage(counted)
  } catch {
    return await store.recordUsage(counted)
  }
}
