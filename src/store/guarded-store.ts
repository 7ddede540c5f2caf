import type { ListedEvent, StoredEvent } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import type { UsageBatch, UsageQuery, UsageRows, UsageTrim } from '../model/usage.js'
import { Breaker } from './breaker.js'
import { DamagedEvents } from './damaged-events.js'
import { readDiagnosis, type StoreDiagnosis } from './diagnosis.js'
import { checkDated, saltEvents } from './events-to-write.js'
import { FoundRecords } from './found-records.js'
import type { MoveWatch } from './move-watch.js'
import type {
  Addition,
  AdditionResult,
  BulkResult,
  Change,
  CommitResult,
  ConsumerState,
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
  TokenStore,
} from './port.js'
import { readBulkResult, readConsumers, readEvents, readFeedPage, readPlaced, readSeals, readTicket } from './read-answers.js'
import { readAddition, readCommit, takesNoPart } from './read-commit.js'
import { readStored } from './read-stored.js'
import type { Report } from './reporter.js'
import { ignored, SETUP_DEADLINE_MS, StoreCalls } from './store-calls.js'

const DEFAULT_USAGE_ROWS = 500
const NO_TOKEN = '0'.repeat(16)

const NOT_SET_UP =
  'was opened before the store was set up, and the setup would wait for it: await store.migrate() before the transaction begins'

/** The store as the rest of latchkey sees it: every call has a deadline, every fault has one type, every answer has been looked at. */
export class GuardedStore extends StoreCalls {
  /** About how many rows a usage batch may have. */
  readonly usageRows: number
  readonly damaged: DamagedEvents
  readonly #breaker: Breaker

  /** Without `moves`, calls go on whatever becomes of a move to another store. */
  constructor(store: TokenStore, deadlineMs: number, monotonic: () => number, report: Report, moves?: MoveWatch) {
    super(store, deadlineMs, report, moves)
    this.damaged = new DamagedEvents(report)
    this.#breaker = new Breaker(monotonic, (error) => report('store.find', error))
    this.usageRows = Math.max(1, Number(store.usageRows) || DEFAULT_USAGE_ROWS)
  }

  /**
   * The records among `ids` that exist, for verifications: refused at once while the store is known to hang. `notBefore` is a position of the feed that
   * they must not be older than; without one, they are those of the primary.
   */
  find(ids: readonly string[], notBefore?: string): MaybePromise<FoundRecords> {
    return this.#breaker.run(() =>
      this.call(
        'find',
        () => (notBefore === undefined ? this.store.find(ids) : this.store.find(ids, { notBefore, onFault: this.#noteReplica })),
        (answer) => this.#found(ids, answer),
      ),
    )
  }

  /** Asks for one record that most likely is not there, to see whether the store answers. */
  async probe(): Promise<void> {
    await this.find([NO_TOKEN])
  }

  /** Is the store known to hang? */
  get isBreakerOpen(): boolean {
    return this.#breaker.isOpen
  }

  /** The record with this id, for a change. */
  async findOne(id: string): Promise<StoredToken | undefined> {
    const ids = [id]
    const found = await this.manage(
      'find',
      () => this.store.find(ids),
      (answer) => this.#found(ids, answer),
    )
    return found.get(id)
  }

  async list(query: ListQuery): Promise<readonly ListedToken[]> {
    return await this.manage(
      'list',
      () => this.store.list(query),
      (answer) => this.rows(answer, 'list').map((row) => readStored<ListedToken>(row, this.name)),
    )
  }

  async commit(change: Change): Promise<CommitResult> {
    const salted = { ...change, events: saltEvents(change.events) }
    return await this.manage(
      'commit',
      () => {
        checkDated(salted.events)
        return this.store.commit(salted)
      },
      (answer) => this.sound(readCommit(answer, change), 'commit'),
    )
  }

  /** Takes as long as the transaction's connection takes: given up half-way, what is under way would be done after the transaction has ended. */
  async commitIn(transaction: object, addition: Addition): Promise<AdditionResult> {
    // It may have to wait for the end of this very transaction, which waits for the answer.
    if (!(await this.isSetUpInTime())) return { ok: false, refused: NOT_SET_UP }
    const salted = { ...addition, events: saltEvents(addition.events) }
    return await this.manage(
      'commitIn',
      () => {
        checkDated(salted.events)
        return this.store.commitIn?.(transaction, salted) ?? takesNoPart(this.name)
      },
      (answer) => this.sound(readAddition(answer, addition, this.name), 'commitIn'),
      Number.POSITIVE_INFINITY,
    )
  }

  async placeEvents(prefix: string): Promise<readonly StoredEvent[]> {
    if (this.store.placeEvents === undefined) return []
    return await this.manage(
      'placeEvents',
      () => this.store.placeEvents?.(prefix) ?? [],
      (answer) => this.sound(readPlaced(answer, prefix), 'placeEvents'),
    )
  }

  /** Bulk revocations may be large: they get more time than other calls, unless the caller says how much. */
  async revokeWhere(
    filter: TokenFilter,
    stamp: RevocationStamp,
    event: StoredEvent,
    deadlineMs: number = SETUP_DEADLINE_MS,
  ): Promise<BulkResult> {
    const [salted = event] = saltEvents([event])
    return await this.manage(
      'revokeWhere',
      () => {
        checkDated([salted])
        return this.store.revokeWhere(filter, stamp, salted)
      },
      (answer) => this.sound(readBulkResult(answer, event), 'revokeWhere'),
      deadlineMs,
    )
  }

  async events(query: EventQuery): Promise<readonly ListedEvent[]> {
    return await this.manage(
      'events',
      () => this.store.events(query),
      (answer) => this.damaged.look(this.sound(readEvents(answer, query), 'events')),
    )
  }

  async changes(after: string | undefined, limit: number): Promise<FeedPage> {
    const { moves } = this
    const began = moves?.monotonic() ?? 0
    const page = await this.call(
      'changes',
      () => this.store.changes(after, limit),
      (answer) => this.sound(readFeedPage(answer, after), 'changes'),
    )
    // Behind the page: whoever has read that far knows of the move that it stands for.
    if (moves?.isUnmovedIn(page, after, began) === false) await this.call('readMove', () => moves.askBehind(page), ignored)
    return page
  }

  async recordUsage(batch: UsageBatch): Promise<boolean> {
    return await this.manage(
      'recordUsage',
      () => this.store.recordUsage(batch),
      (answer) => answer !== false,
    )
  }

  async usage(query: UsageQuery): Promise<UsageRows> {
    return await this.manage(
      'usage',
      () => this.store.usage(query),
      (answer): UsageRows => {
        const { counts, addresses } = Object(answer) as Partial<UsageRows>
        // A store that knows no limit would have an answer built that nobody bounded.
        if (Array.isArray(counts) && Array.isArray(addresses) && counts.length <= (query.limit ?? Number.POSITIVE_INFINITY))
          return { counts, addresses }
        throw this.nonsense('usage')
      },
    )
  }

  async renewLease(lease: NodeLease): Promise<void> {
    await this.call('renewLease', () => this.store.renewLease(lease), ignored)
  }

  async leases(now: number): Promise<readonly NodeLease[]> {
    return await this.manage(
      'leases',
      () => this.store.leases(now),
      (answer) => this.rows(answer, 'leases') as readonly NodeLease[],
    )
  }

  async consumers(prefix: string): Promise<readonly ConsumerState[]> {
    return await this.manage(
      'consumers',
      () => this.store.consumers(prefix),
      (answer) => this.sound(readConsumers(answer, prefix), 'consumers'),
    )
  }

  async saveConsumer(state: ConsumerState): Promise<boolean> {
    return await this.manage(
      'saveConsumer',
      () => this.store.saveConsumer(state),
      (answer) => this.yesOrNo(answer, 'saveConsumer'),
    )
  }

  async seals(query: SealQuery): Promise<readonly StoredSeal[]> {
    return await this.manage(
      'seals',
      () => this.store.seals(query),
      (answer) => this.sound(readSeals(answer, query), 'seals'),
    )
  }

  async saveSeal(seal: StoredSeal): Promise<boolean> {
    return await this.manage(
      'saveSeal',
      () => this.store.saveSeal(seal),
      (answer) => this.yesOrNo(answer, 'saveSeal'),
    )
  }

  async removeEvents(prefix: string, ids: readonly string[]): Promise<void> {
    await this.manage('removeEvents', () => this.store.removeEvents(prefix, ids), ignored)
  }

  async trimUsage(trim: UsageTrim): Promise<boolean> {
    return await this.manage(
      'trimUsage',
      () => this.store.trimUsage(trim),
      (answer) => this.yesOrNo(answer, 'trimUsage'),
    )
  }

  async saveTicket(ticket: StoredTicket, room: TicketRoom): Promise<boolean> {
    return await this.manage(
      'saveTicket',
      () => this.store.saveTicket(ticket, room),
      (answer) => this.yesOrNo(answer, 'saveTicket'),
    )
  }

  async takeTicket(prefix: string, digest: string): Promise<StoredTicket | 'none'> {
    return await this.call(
      'takeTicket',
      () => this.store.takeTicket(prefix, digest),
      (answer) => this.sound(readTicket(answer, prefix, digest), 'takeTicket'),
    )
  }

  /** How the server is set up, whether or not the store can be; `undefined` where the store does not look. */
  async diagnose(): Promise<StoreDiagnosis | undefined> {
    if (this.store.diagnose === undefined) return undefined
    return await this.askAnyway(
      'diagnose',
      () => this.store.diagnose?.() ?? { findings: [] },
      (answer) => this.sound(readDiagnosis(answer), 'diagnose'),
    )
  }

  /** Where the store cannot compare them, the answer is no. */
  reached(cursor: string, target: string): boolean {
    try {
      return this.store.reached(cursor, target) === true
    } catch (error) {
      this.report('store.reached', error)
      return false
    }
  }

  readonly #noteReplica = (error: unknown): void => this.report('replica', error)

  #found(ids: readonly string[], answer: unknown): FoundRecords {
    return new FoundRecords(this.rows(answer, 'find'), ids, this.name, (error) => this.report('store.find', error))
  }
}
