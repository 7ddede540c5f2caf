import type { StoredEvent } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import type { UsageBatch, UsageQuery, UsageRows, UsageTrim } from '../model/usage.js'
import { Breaker } from './breaker.js'
import { DamagedEvents, DamagedTokens, type OnDamagedToken } from './damaged.js'
import { newFault } from './describe-fault.js'
import { readDiagnosis, type StoreDiagnosis } from './diagnosis.js'
import { checkDated, saltEvents } from './events-to-write.js'
import { FoundRecords } from './found-records.js'
import type { StoreMethod } from './methods.js'
import type { MoveWatch } from './move-watch.js'
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
  TokenStore,
} from './port.js'
import { readConsumers, readDistinct, readFeedPage, readSeals, readTicket, readUsage } from './read-answers.js'
import { readAddition, readBulkResult, readCommit, takesNoPart } from './read-commit.js'
import { readEvents, readPlaced } from './read-events.js'
import { readLeases } from './read-leases.js'
import type { Report } from './reporter.js'
import { ignored, SETUP_DEADLINE_MS, StoreCalls } from './store-calls.js'
import { notingUnanswered } from './unanswered.js'

const DEFAULT_USAGE_ROWS = 500
const NO_TOKEN = '0'.repeat(16)
const NOT_SET_UP =
  'was opened before the store was set up, and the setup would wait for it: await store.migrate() before you begin the transaction'

/** The store as the rest of latchkey uses it: every call has a deadline, every fault has the same type, and every result is checked. */
export class GuardedStore extends StoreCalls {
  /** The approximate number of rows that a usage batch may have. */
  readonly usageRows: number
  readonly damaged: DamagedEvents
  readonly damagedTokens: DamagedTokens
  private readonly breaker: Breaker

  /** Without `moves`, calls are not restricted during a move to another store. */
  constructor(store: TokenStore, deadlineMs: number, monotonic: () => number, report: Report, moves?: MoveWatch) {
    super(store, deadlineMs, report, moves)
    this.damaged = new DamagedEvents(report)
    this.damagedTokens = new DamagedTokens(report, this.name)
    this.breaker = new Breaker(monotonic, (error) => report('store.find', error))
    this.usageRows = Math.max(1, Number(store.usageRows) || DEFAULT_USAGE_ROWS)
  }

  /** Finds records for verifications. Fails immediately while the store is known to hang. `notBefore`: their minimum feed position, or the primary is read. */
  find(ids: readonly string[], notBefore?: string): MaybePromise<FoundRecords> {
    const age = notBefore === undefined ? [] : ([{ notBefore, onFault: this.noteReplica }] as const)
    const send = (): unknown => this.store.find(ids, ...age)
    return notingUnanswered(
      () => this.moves?.isClosed === true,
      (answer) => this.found(ids, answer),
      // A caller that stops waiting early says nothing about the store, so the breaker judges each read by the whole deadline.
      (read) => this.leaveEarly('find', (ownMs) => this.breaker.run(() => this.call('find', send, read, ownMs))),
    )
  }

  /** Reads one record that most likely does not exist, to test whether the store responds. */
  async probe(): Promise<void> {
    await this.find([NO_TOKEN])
  }

  get isBreakerOpen(): boolean {
    return this.breaker.isOpen
  }

  /**
   * Reads the record with this ID, in order to change it. Throws if part of its row is unreadable, because an incomplete record must not be written back. If
   * the caller must not know that such a row exists, returns `undefined`.
   */
  async findOne(id: string, mayKnow?: (row: Partial<StoredToken>) => boolean): Promise<StoredToken | undefined> {
    const ids = [id]
    const read = (answer: unknown): FoundRecords => this.found(ids, answer)
    return (await this.manage('find', () => this.store.find(ids), read)).whole(id, mayKnow)
  }

  /** Omits tokens whose rows cannot be read, and reports them, because one damaged row must not hide other rows. */
  async list(query: ListQuery, onDamaged?: OnDamagedToken): Promise<readonly ListedToken[]> {
    const rows = (answer: unknown): readonly unknown[] => this.rows(answer, 'list')
    return await this.damagedTokens.page(query, (page) => this.manage('list', () => this.store.list(page), rows), onDamaged)
  }

  async distinct(query: DistinctQuery): Promise<readonly string[]> {
    return await this.manage(
      'distinct',
      () => this.store.distinct(query),
      (answer) => this.sound(readDistinct(answer, ownFields(query)), 'distinct'),
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
      (answer) => this.sound(readCommit(answer, ownFields(change)), 'commit'),
    )
  }

  /** Has no deadline of its own, because if it were abandoned midway, the pending statements could run after the transaction has ended. */
  async commitIn(transaction: object, addition: Addition): Promise<AdditionResult> {
    // Setup may wait for this transaction to end, which in turn waits for this result.
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

  async placeEvents(prefix: string, tokenIds?: readonly string[]): Promise<readonly StoredEvent[]> {
    if (this.store.placeEvents === undefined) return []
    return await this.manage(
      'placeEvents',
      () => this.store.placeEvents?.(prefix, tokenIds) ?? [],
      (answer) => this.sound(readPlaced(answer, prefix), 'placeEvents'),
    )
  }

  /** Bulk revocations may be large, so they get more time than other calls unless the caller sets a deadline. */
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

  async events(query: EventQuery): Promise<EventPage> {
    return await this.manage(
      'events',
      () => this.store.events(query),
      (answer) => this.damaged.look(this.sound(readEvents(answer, ownFields(query)), 'events')),
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
    // After the page was read: a caller that has read up to its end must know about a move that it announces.
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
      (answer) => this.sound(readUsage(answer, ownFields(query)), 'usage'),
    )
  }

  async renewLease(lease: NodeLease): Promise<void> {
    await this.call('renewLease', () => this.store.renewLease(lease), ignored)
  }

  async leases(now: number): Promise<readonly NodeLease[]> {
    return await this.manage(
      'leases',
      () => this.store.leases(now),
      (answer) => this.sound(readLeases(answer), 'leases'),
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
    return await this.ask('saveConsumer', () => this.store.saveConsumer(state))
  }

  async removeConsumer(consumer: ConsumerVersion): Promise<boolean> {
    return await this.ask('removeConsumer', () => this.store.removeConsumer(consumer))
  }

  async seals(query: SealQuery): Promise<readonly StoredSeal[]> {
    return await this.manage(
      'seals',
      () => this.store.seals(query),
      (answer) => this.sound(readSeals(answer, query), 'seals'),
    )
  }

  async saveSeal(seal: StoredSeal): Promise<boolean> {
    return await this.ask('saveSeal', () => this.store.saveSeal(seal))
  }

  async removeEvents(prefix: string, ids: readonly string[]): Promise<void> {
    await this.manage('removeEvents', () => this.store.removeEvents(prefix, ids), ignored)
  }

  async trimUsage(trim: UsageTrim): Promise<boolean> {
    return await this.ask('trimUsage', () => this.store.trimUsage(trim))
  }

  async saveTicket(ticket: StoredTicket, room: TicketRoom): Promise<boolean> {
    return await this.ask('saveTicket', () => this.store.saveTicket(ticket, room))
  }

  async takeTicket(prefix: string, digest: string): Promise<StoredTicket | 'none'> {
    return await this.call(
      'takeTicket',
      () => this.store.takeTicket(prefix, digest),
      (answer) => this.sound(readTicket(answer, prefix, digest), 'takeTicket'),
    )
  }

  /** Checks how the server is configured, even if the store cannot be set up; `undefined` if the store does not support it. */
  async diagnose(): Promise<StoreDiagnosis | undefined> {
    if (this.store.diagnose === undefined) return undefined
    return await this.askAnyway(
      'diagnose',
      () => this.store.diagnose?.() ?? { findings: [] },
      (answer) => this.sound(readDiagnosis(answer), 'diagnose'),
    )
  }

  /** Reads the clock of the store's server. Returns `undefined` if it has no clock of its own. */
  async serverTime(): Promise<number | undefined> {
    return (await this.diagnose())?.now
  }

  private ask(method: StoreMethod, call: () => unknown): Promise<boolean> {
    return this.manage(method, call, (answer) => this.yesOrNo(answer, method))
  }

  private readonly noteReplica = (error: unknown): void => this.report('replica', newFault(error))

  private found(ids: readonly string[], answer: unknown): FoundRecords {
    return new FoundRecords(this.rows(answer, 'find'), ids, this.name, (id, fields, error) => {
      this.damagedTokens.note(id, fields)
      this.report('store.find', error)
    })
  }
}
