import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'
import type { UsageBatch, UsageQuery, UsageRows, UsageTrim } from '../../../src/model/usage.js'
import type { Move, Restored, RestoreResult } from '../../../src/store/moving.js'
import type {
  Addition,
  AdditionResult,
  BulkResult,
  Change,
  CommitResult,
  ConsumerState,
  ConsumerVersion,
  DistinctQuery,
  EventPage,
  EventQuery,
  FeedPage,
  ListQuery,
  NodeLease,
  RevocationStamp,
  SealQuery,
  StoredSeal,
  StoredTicket,
  TicketRoom,
  TokenFilter,
  TokenPage,
  TokenStore,
} from '../../../src/store/port.js'
import type { Sql } from './context.js'
import { diagnose } from './diagnose.js'
import type { HostAccess } from './host-transaction.js'
import { commit } from './queries/commit.js'
import { commitIn } from './queries/commit-in.js'
import { consumers, removeConsumer, saveConsumer } from './queries/consumers.js'
import { distinct } from './queries/distinct.js'
import { events } from './queries/events.js'
import { changes } from './queries/feed.js'
import { identityOf } from './queries/identity.js'
import { leases, renewLeases } from './queries/leases.js'
import { list } from './queries/list.js'
import { readMove, saveMove } from './queries/moves.js'
import { placeEvents } from './queries/place-events.js'
import { restore } from './queries/restore.js'
import { removeEvents, trimUsage } from './queries/retention.js'
import { revokeWhere } from './queries/revoke-where.js'
import { saveSeal, seals } from './queries/seals.js'
import { saveTicket, takeTicket } from './queries/tickets.js'
import { recordUsage } from './queries/usage.js'
import { usage } from './queries/usage-rows.js'
import { checkRoundTrip } from './round-trip.js'
import type { TokenRow } from './schema/token-columns.js'
import { rowToToken } from './schema/token-row.js'

/** The verbs of a SQL store over an open engine. */
export type OpenStore = Required<Omit<TokenStore, 'name' | 'subscribe' | 'reached' | 'usageRows'>> & Pick<TokenStore, 'subscribe'>

/** Assembles the verbs, which are the same for every dialect. */
export const openStore = (sql: Sql, host: HostAccess): OpenStore => {
  const { builder, quirks, engine } = sql
  const finder = quirks.finder(builder)
  return {
    async find(ids: readonly string[]): Promise<readonly StoredToken[]> {
      if (ids.length === 0) return []
      const query = finder(ids)
      const rows = engine.find === undefined ? (await engine.run(query)).rows : ((await engine.find(query)) as readonly TokenRow[])
      return rows.map(rowToToken)
    },
    list: (query: ListQuery): Promise<TokenPage> => list(sql, query),
    distinct: (query: DistinctQuery): Promise<readonly string[]> => distinct(sql, query),
    commit: (change: Change): Promise<CommitResult> => commit(sql, change),
    commitIn: (transaction: object, addition: Addition): Promise<AdditionResult> => commitIn(sql, host, transaction, addition),
    placeEvents: (prefix: string, tokenIds?: readonly string[]): Promise<readonly StoredEvent[]> => placeEvents(sql, prefix, tokenIds),
    revokeWhere: (filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult> =>
      revokeWhere(sql, filter, stamp, event),
    events: (query: EventQuery): Promise<EventPage> => events(sql, query),
    changes: (after: string | undefined, limit: number): Promise<FeedPage> => changes(sql, after, limit),
    recordUsage: (batch: UsageBatch): Promise<boolean> => recordUsage(sql, batch),
    usage: (query: UsageQuery): Promise<UsageRows> => usage(sql, query),
    renewLease: (lease: NodeLease): Promise<void> => renewLeases(sql, [lease]),
    renewLeases: (given: readonly NodeLease[]): Promise<void> => renewLeases(sql, given),
    leases: (now: number): Promise<readonly NodeLease[]> => leases(sql, now),
    consumers: (prefix: string): Promise<readonly ConsumerState[]> => consumers(sql, prefix),
    saveConsumer: (state: ConsumerState): Promise<boolean> => saveConsumer(sql, state),
    removeConsumer: (consumer: ConsumerVersion): Promise<boolean> => removeConsumer(sql, consumer),
    seals: (query: SealQuery): Promise<readonly StoredSeal[]> => seals(sql, query),
    saveSeal: (seal: StoredSeal): Promise<boolean> => saveSeal(sql, seal),
    removeEvents: (prefix: string, ids: readonly string[]): Promise<void> => removeEvents(sql, prefix, ids),
    trimUsage: (trim: UsageTrim): Promise<boolean> => trimUsage(sql, trim),
    saveTicket: (ticket: StoredTicket, room: TicketRoom): Promise<boolean> => saveTicket(sql, ticket, room),
    takeTicket: (prefix: string, digest: string): Promise<StoredTicket | undefined> => takeTicket(sql, prefix, digest),
    readMove: (prefix: string): Promise<Move | undefined> => readMove(sql, prefix),
    saveMove: (prefix: string, expected: Move | undefined, next: Move | undefined): Promise<boolean> =>
      saveMove(sql, prefix, expected, next),
    restore: (restored: Restored): Promise<RestoreResult> => restore(sql, restored),
    async migrate(): Promise<void> {
      await engine.migrate()
      await checkRoundTrip(sql)
      // Read it before the host's transaction can hold the last connection of a pool.
      await identityOf(sql)
    },
    diagnose: () => diagnose(sql),
    close: () => engine.close(),
    ...(engine.subscribe === undefined ? {} : { subscribe: engine.subscribe }),
  }
}
