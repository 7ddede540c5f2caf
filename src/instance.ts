import type { ListedEventHandler } from './activity/call-handler.js'
import type { OpenUses } from './activity/open-uses.js'
import type { SealedAudit } from './audit/handle.js'
import type { Standing, TokenHolder } from './cache/standing.js'
import { InvalidInputError, LatchkeyError } from './errors.js'
import type { Actor } from './model/actor.js'
import type { Attempted } from './model/attempted.js'
import { aboutCopies } from './model/copies.js'
import type { CountedUse } from './model/counted-use.js'
import type { AuditAction, AuditEvent, ConsumeOptions, EventConsumer, EventHandler, LeakInput, LeakReported } from './model/event.js'
import type { ExplainInput, Explanation } from './model/explanation.js'
import type { ForeignShapes } from './model/foreign-shapes.js'
import type { ConsumerHealth, Health } from './model/health.js'
import type { ImportInput, ImportReport } from './model/import.js'
import type { MaybePromise } from './model/json.js'
import type { ListInput, NameLists } from './model/list-input.js'
import type { IsMine, Presenter } from './model/presenter.js'
import type { Introspection, Principal, RateState, Verification, VerifyContext } from './model/principal.js'
import type { CreateInput, InstantInput, Minted, Page, Replayed, RotateInput, TokenRecord, UpdateInput } from './model/record.js'
import type { Erased, OwnerForecast, OwnerGone, OwnerGoneInput, OwnerInput, RevokeAllInput, RevokeInput } from './model/revocation.js'
import type { Ticket } from './model/ticket.js'
import type { CreateOptions } from './model/transaction.js'
import type { UsageInput, UsageOfInput, UsageReport, UsageSummary } from './model/usage.js'
import type { Readings, Vitals } from './model/vitals.js'
import type { SharedSettings } from './options.js'
import { isRequest, misgiven } from './policy/misgiven.js'
import type { ResourceMode } from './policy/resource-mode.js'
import type { ScopeSet } from './policy/scope-set.js'
import type { Allowance } from './store/deadline.js'
import type { GuardedStore } from './store/guarded-store.js'
import type { StoreMethod } from './store/methods.js'
import type { Report } from './store/reporter.js'

/** Filters of `events`. */
export type EventsInput = {
  readonly tokenId?: string | undefined
  readonly tenantId?: string | undefined
  readonly action?: AuditAction | readonly AuditAction[] | undefined
  /** Only events of this actor. */
  readonly actorId?: string | undefined
  readonly from?: InstantInput | undefined
  /** Exclusive. */
  readonly to?: InstantInput | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  /**
   * `oldest` follows the audit log: a page with events always has a `nextCursor`, after which later events appear. No event is skipped or returned twice,
   * even if many nodes write at the same time.
   *
   * @default 'newest'
   */
  readonly order?: 'newest' | 'oldest' | undefined
  readonly cursor?: string | undefined
  /** With `order: 'oldest'`, an alias of `cursor`: continues after the end of this page. */
  readonly after?: string | undefined
}

/** The expected version of the record. Any other version is a conflict. */
export type IfVersion = { readonly version?: number | undefined }

/** The methods that manage tokens, called as one actor: limited to what it can see and grant, and recorded in the audit log under its ID. */
export interface TokenHandle<S extends string = string> extends SealedAudit, NameLists {
  /** Creates a token. Only this result contains its text. With an `idempotencyKey`, the result may be the record of a token that already exists. */
  create<const Key extends string | undefined = undefined>(
    input: CreateInput<S> & { readonly idempotencyKey?: Key },
    options?: CreateOptions,
  ): Promise<[Key] extends [undefined] ? Minted : Minted | Replayed>
  /** Returns the record, or `undefined` if the actor cannot see a token with this ID. */
  get(id: string): Promise<TokenRecord | undefined>
  /** Returns one page of tokens, newest first. */
  list(input?: ListInput): Promise<Page<TokenRecord>>
  /** Changes a token's settings. Revoked tokens cannot be changed. */
  update(id: string, changes: UpdateInput<S>, options?: IfVersion): Promise<TokenRecord>
  /** Activates a deactivated token. The actor must have at least the reach of the actor who deactivated it. */
  activate(id: string, options?: IfVersion): Promise<TokenRecord>
  /** Stops a token until it is activated again. */
  deactivate(id: string, options?: IfVersion): Promise<TokenRecord>
  /** Replaces a token with a successor that has the same settings. */
  rotate(id: string, input?: RotateInput & { readonly idempotencyKey?: undefined }): Promise<Minted>
  rotate(id: string, input: RotateInput): Promise<Minted | Replayed>
  /** Revokes a token permanently. */
  revoke(id: string, input?: RevokeInput): Promise<TokenRecord>
  /** Revokes every token of a tenant, of an owner, of an owner within a tenant, or every token that the actor can see. */
  revokeAll(input: RevokeAllInput): Promise<{ readonly count: number }>
  /** Returns one page of the audit log, newest first unless `order` says otherwise. */
  events(input?: EventsInput): Promise<Page<AuditEvent>>
  /** Returns the usage of a token. */
  usage(id: string, range?: UsageInput): Promise<UsageReport>
  /** Counts the uses of up to 100 tokens in equal steps of whole hours, for example to show next to the rows of a list. */
  usageOf(input: UsageOfInput): Promise<{ readonly items: readonly UsageSummary[] }>
  /**
   * Explains step by step, in the order of the decision, why a token is accepted or refused now, or was at a time in the past. This does not count as a use.
   * `ok` is true only if every step is known to pass.
   *
   * @throws NotFoundError `not_found`
   */
  explain(id: string, input?: ExplainInput): Promise<Explanation>
  /** Returns the scopes that the actor may grant: names, `@groups` and wildcards, for example for a form. */
  grantable(): readonly string[]
  /** Announces that an owner's permissions changed, so every node calls the `owner` option again. Without a tenant, it requires `tenants: '*'`. */
  ownerChanged(owner: OwnerInput): Promise<void>
  /**
   * Revokes every token of an owner who left, with one write that reaches every node. Requires an actor who manages all tokens of the tenant; without a tenant,
   * it requires `tenants: '*'`. With `dryRun: true` it changes nothing and returns the tokens that it would revoke.
   */
  ownerGone(owner: OwnerGoneInput & { readonly dryRun: true }): Promise<OwnerForecast>
  ownerGone(owner: OwnerGoneInput & { readonly dryRun?: false | undefined }): Promise<OwnerGone>
  /**
   * Erases an owner who has left: removes the owner's ID, and the names, texts and addresses of the owner's tokens, from all records and events. Safe to
   * repeat.
   *
   * @throws ConflictError `conflict` while a token of the owner is not revoked
   */
  erase(owner: OwnerInput): Promise<Erased>
  /** Records in the audit log that a token was found where it should not be, and acts on it. Repeating a report changes nothing. */
  reportLeak(input: LeakInput): Promise<LeakReported>
  /**
   * Passes every audit event to a handler: in order, at least once, and on one node at a time, even if many nodes call this under the same name. The
   * position of a name is kept in the store. Needs an actor who sees every event, such as `tokens.system`.
   * It runs until `stop()` or `close()`, and keeps the process alive until then. A failed handler gets the event again, after growing waits of up to 30 s.
   *
   * @example
   * ```ts
   * const siem = tokens.system.consume('siem', async (event, { signal }) => {
   *   await fetch(url, { method: 'POST', body: JSON.stringify(event), signal })
   * })
   * ```
   */
  consume(name: string, handler: EventHandler, options?: ConsumeOptions): EventConsumer
  /**
   * Removes the position of a consumer that no longer runs, and the dead letters of a webhook, which is named `webhook:<id>`. Resolves to
   * whether it existed. If a node died while running the consumer, this takes up to 30 seconds. Throws a `conflict` while a node is running it.
   */
  forgetConsumer(name: string): Promise<boolean>
  /**
   * Creates records for tokens that another system issued, from the rows of its table. They keep working in their old format, and are listed, limited, audited,
   * rotated and revoked like any other. Calling it again continues an interrupted import. Needs an actor who sees every token.
   */
  import<Row>(rows: Iterable<Row> | AsyncIterable<Row>, input: ImportInput<Row, S>): Promise<ImportReport>
  /** Removes tokens that were revoked or expired before the instant, with their usage; their audit events are kept. Requires an actor who sees every token. */
  prune(input: { readonly before: InstantInput }): Promise<{ readonly count: number }>
}

/** Marks the authenticators that this library creates, so that the types accept no other objects. */
export const AUTHENTICATOR: unique symbol = Symbol('latchkey.authenticator')

/** The first argument of `authenticate`: an instance, a verifier of signed tokens, or several combined. */
export interface Authenticator<S extends string = string> {
  /** Decides whether a token is valid and what it may do, and counts the use. Checks no scopes: use `principal.allows()`. @throws StoreUnavailableError */
  verify(token: string, context?: VerifyContext): Promise<Verification<S>>
  readonly [AUTHENTICATOR]: true
}

/** An instance: the tokens in one store. */
export interface Latchkey<S extends string = string> extends Authenticator<S> {
  readonly prefix: string
  /** The scopes that exist, with their descriptions. */
  readonly catalogue: { readonly [Name in S]: string }
  /**
   * Decides whether a token is valid now and what it may do. Like `verify`, but reads from the primary, does not check the client's address, and does not count
   * as a use.
   */
  introspect(token: string): Promise<Introspection>
  /**
   * Returns the methods that manage tokens, called as this actor.
   *
   * @throws InvalidInputError `invalid_input`, field `actor`, for a missing or incomplete actor; a string is never an actor
   */
  as(actor: Actor): TokenHandle<S>
  /** The methods that manage tokens, called as the application itself. */
  readonly system: TokenHandle<S>
  /** Writes the buffered counts and refusals. */
  flush(): Promise<void>
  /** Reports whether the store responds, how far the change feed lags, and how much waits to be written. It never rejects, so a readiness probe can use it. */
  health(): Promise<Health>
  /** Writes buffered data, stops, and closes the store if no other instance uses it. */
  close(): Promise<void>
}

/** Decides whether to accept credentials, for the adapters. */
export type Decider = {
  /** The scopes that exist, if they are known. */
  readonly catalogue?: { readonly [scope: string]: string } | undefined
  /** How to treat a route that does not name the data a token is limited to. @default 'implicit' */
  readonly resources?: ResourceMode | undefined
  /** Reports to the host a fault that caused a 503 or was suppressed. */
  readonly report: Report
  /** Like `verify`, but synchronous if no I/O is needed, and without counting an allowed use. `deadlineMs` applies if it has no deadline of its own. */
  decide(token: unknown, context?: VerifyContext, deadlineMs?: number): MaybePromise<Verification>
  /** The monotonic clock that deadlines are measured by. @default performance.now() */
  readonly monotonic?: (() => number) | undefined
  /** How long a decision may take. Absent: the deadline passed to `decide` applies. */
  readonly deadlineMs?: number | undefined
  /** The decider for API tokens, if this one also accepts other kinds of tokens. */
  readonly root?: Decider | undefined
  /** Like `decide`, for a ticket, which this call uses up. Absent: tickets are not supported. */
  redeem?(ticket: string, context?: VerifyContext): MaybePromise<Verification>
  /** Makes the ticket of this principal valid again, after its connection was refused because of a fault in the host. */
  giveBackTicket?(principal: Principal): void
  /** Returns the rate state if the principal, whose use was allowed, has no refusals left. The route's requirements are then not checked. */
  refusalsSpent?(principal: Principal): RateState | undefined
  /** Writes what was counted and recorded outside the request path. Absent: there is nothing to write. */
  flush?(): Promise<void>
  /** Returns whether this is one of its own credentials, valid or not; `true` if it cannot tell. */
  isOwn?(credential: string): boolean
  /** Credentials of other systems, whose tokens were imported. Absent: none. */
  readonly imported?: ForeignShapes | undefined
  /** Whether a forged token may cause a store read. True without a pepper, or for formats of other systems. @default false */
  readonly looksUpForgeries?: boolean | undefined
  /** Resolves grants to scopes of the catalogue. */
  resolve?(grants: readonly string[]): ScopeSet
  /** Returns the scope that a misspelled name most likely means. */
  suggest?(scope: string): string | undefined
  /** The uses that wait for the end of their requests. Absent: uses are counted only when `countUse` is called. */
  readonly openUses?: OpenUses | undefined
  /** Counts one use that `decide` allowed. */
  countUse(principal: Principal, use: CountedUse): void
}

/** The internal interface of an instance, for the management API and the extensions. */
export type Internals = Decider & {
  readonly settings: SharedSettings
  /** How long a node may trust its cached data, in milliseconds, even while the store is unavailable. */
  readonly boundMs: number
  readonly deadlineMs: number
  readonly vitals: Vitals
  /** Returns the state of the instance, as far as it is known without I/O. */
  readings(): Readings
  /** Returns the state of the consumers, as far as the store returns it within the deadline. Empty before the first use of the store. */
  consumers(): Promise<readonly ConsumerHealth[]>
  /** Calls `watch` for each call to the store, and the returned function when that call ends; `undefined` stops this. */
  watchStore(watch: ((method: StoreMethod) => (error?: unknown) => void) | undefined): void
  /** Returns the current permissions of the token with this ID, regardless of who presents it. Answers from memory if `decide` would, and counts nothing. */
  standing(id: string, ip?: string, leftMs?: number): MaybePromise<Standing>
  /** Returns the actor, whose address is `ip` unless it names another, and its verbs, which share the `allowance` and are queued under `turns`. */
  actAs(actor: unknown, ip?: string, allowance?: Allowance, turns?: string): { readonly handle: TokenHandle; readonly actor: Actor }
  /** Returns the token from which this instance created a principal, even if the principal's properties were overwritten; `undefined` for anything else. */
  holderOf(principal: unknown): TokenHolder | undefined
  /** Returns whether one of these is an imported token, valid or not, within one deadline. Counts only the guesses of this address. */
  holdsImported(credentials: Iterable<string>, ip: string | undefined, leftMs?: number): Promise<boolean>
  /** Creates a ticket for the token behind a principal of this instance. */
  createTicket(principal: unknown): Promise<Ticket>
  /** Records a refused request, coalesced. Callers do not wait for it. */
  noteAttempt(attempted: Attempted): void
  /** Reads the record of this token from the primary. If several have its secret, one that is `mine` comes first. Wrong secrets are charged to `from`. */
  identify(token: string, allowance?: Allowance, from?: Presenter, mine?: IsMine): Promise<TokenRecord | undefined>
  /** Like `introspect` of the instance. A token that is not `mine` is inactive. */
  introspect(token: string, allowance: Allowance, from: Presenter, mine?: IsMine): Promise<Introspection>
  /** Like `consume` as the application itself, with events as the store keeps them. A handler may throw `RetryLater`. */
  follow(name: string, handler: ListedEventHandler, options: { readonly from: 'start' | 'now'; readonly timeoutMs: number }): EventConsumer
  /** Returns the part of the store that reads the audit log, the state of its consumers, and how the server is set up. Throws once the instance is closed. */
  store(): Pick<GuardedStore, 'events' | 'consumers' | 'saveConsumer' | 'diagnose'>
}

// Kept apart from the objects that hosts hold, so that no other code can pass in its own decider.
const deciders: WeakMap<object, Decider> = new WeakMap()
const internals: WeakMap<object, Internals> = new WeakMap()

/** Lets adapters find the decider behind an object. */
export function registerDecider(face: Authenticator, decider: Decider): void {
  deciders.set(face, decider)
}

/** Lets the management API and the extensions find the internals of an instance. */
export function registerInstance(face: object, inside: Internals): void {
  deciders.set(face, inside)
  internals.set(face, inside)
}

/**
 * Returns the decider behind an object that a host passed. An error shows `write`, the call as it should be written.
 *
 * @throws InvalidInputError `invalid_input`, field `tokens`
 */
export function deciderOf(tokens: unknown, write?: string): Decider {
  return found(deciders, tokens, write)
}

/** Returns the internal interface of an instance. Throws as `deciderOf` does. */
export function internalsOf(tokens: unknown, write?: string): Internals {
  return found(internals, tokens, write)
}

function found<T>(map: WeakMap<object, T>, tokens: unknown, write: string | undefined): T {
  const inside = typeof tokens === 'object' && tokens !== null ? map.get(tokens) : undefined
  if (inside === undefined) {
    const copies = aboutCopies()
    const hint = copies === undefined ? misgiven(tokens, write) : `; ${copies}`
    const message = `must be the result of latchkey(options)${hint}`
    if (isRequest(tokens)) throw new LatchkeyError('misconfigured', `tokens: ${message}`, { field: 'tokens' })
    throw new InvalidInputError('tokens', message)
  }
  return inside
}
