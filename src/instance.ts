import type { ListedEventHandler } from './activity/call-handler.js'
import type { SealedAudit } from './audit/handle.js'
import type { Standing } from './cache/standing.js'
import { InvalidInputError } from './errors.js'
import type { Actor } from './model/actor.js'
import type { Attempted } from './model/attempted.js'
import { aboutCopies } from './model/copies.js'
import type { AuditAction, AuditEvent, EventConsumer, EventHandler, LeakInput, LeakReported } from './model/event.js'
import type { ExplainInput, Explanation } from './model/explanation.js'
import type { ForeignShapes } from './model/foreign-shapes.js'
import type { ConsumerHealth, Health } from './model/health.js'
import type { ImportInput, ImportReport } from './model/import.js'
import type { MaybePromise } from './model/json.js'
import type { ListInput } from './model/list-input.js'
import type { Introspection, Principal, RateState, Verification, VerifyContext } from './model/principal.js'
import type { CreateInput, Duration, InstantInput, Minted, Page, Replayed, TokenRecord, UpdateInput } from './model/record.js'
import type { Erased, OwnerForecast, OwnerGone, OwnerGoneInput, OwnerInput, RevokeAllInput, RevokeInput } from './model/revocation.js'
import type { Ticket } from './model/ticket.js'
import type { CreateOptions } from './model/transaction.js'
import type { UsageInput, UsageOfInput, UsageReport, UsageSummary } from './model/usage.js'
import type { Readings, Vitals } from './model/vitals.js'
import type { Settings } from './options.js'
import { misgiven } from './policy/misgiven.js'
import type { ResourceMode } from './policy/resource-mode.js'
import type { ScopeSet } from './policy/scope-set.js'
import type { GuardedStore } from './store/guarded-store.js'
import type { StoreMethod } from './store/methods.js'
import type { Report } from './store/reporter.js'

/** Filters of `events`. */
export type EventsInput = {
  readonly tokenId?: string | undefined
  readonly tenantId?: string | undefined
  readonly action?: AuditAction | readonly AuditAction[] | undefined
  /** Done by this actor. */
  readonly actorId?: string | undefined
  readonly from?: InstantInput | undefined
  /** Exclusive. */
  readonly to?: InstantInput | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  /**
   * `oldest` follows the audit: a page with events always has a `nextCursor`, behind which whatever is written later stands. No event is skipped or
   * comes twice, however many nodes write meanwhile.
   *
   * @default 'newest'
   */
  readonly order?: 'newest' | 'oldest' | undefined
  readonly cursor?: string | undefined
  /** With `order: 'oldest'`, another name of `cursor`: go on behind this page's end. */
  readonly after?: string | undefined
}

/** How `consume` works. */
export type ConsumeOptions = {
  /** Where a name begins that no node has used before: with the oldest event that is kept, or with what comes from now on. @default 'start' */
  readonly from?: 'start' | 'now' | undefined
  /** How long a handler may take for one event, 1 s to an hour; then its `signal` fires, and the event is tried again. @default '60s' */
  readonly timeout?: Duration | undefined
}

/** Options of `rotate`. */
export type RotateInput = {
  /** How long the old token goes on beside the new one. @default 0 */
  readonly overlap?: Duration | undefined
  readonly idempotencyKey?: string | undefined
}

/** The version of the record that a change is made for: any other is a conflict. */
export type IfVersion = { readonly version?: number | undefined }

/** The verbs of a token's life, as one actor performs them: limited to what it may see and hand out, and told in the audit by its name. */
export interface TokenHandle<S extends string = string> extends SealedAudit {
  /** Makes a token. Its text stands in this answer and nowhere else. */
  create(input: CreateInput<S> & { readonly idempotencyKey?: undefined }, options?: CreateOptions): Promise<Minted>
  create(input: CreateInput<S>, options?: CreateOptions): Promise<Minted | Replayed>
  /** The record, or `undefined` where there is none that the actor may see. */
  get(id: string): Promise<TokenRecord | undefined>
  /** One page of tokens, newest first. */
  list(input?: ListInput): Promise<Page<TokenRecord>>
  /** Edits a token's terms; refused once it is revoked. */
  update(id: string, changes: UpdateInput<S>, options?: IfVersion): Promise<TokenRecord>
  /** Ends a deactivation, for an actor who reaches as far as whoever deactivated it. */
  activate(id: string, options?: IfVersion): Promise<TokenRecord>
  /** Stops a token until it is activated again. */
  deactivate(id: string, options?: IfVersion): Promise<TokenRecord>
  /** Replaces a token by a successor with the same terms. */
  rotate(id: string, input?: RotateInput & { readonly idempotencyKey?: undefined }): Promise<Minted>
  rotate(id: string, input: RotateInput): Promise<Minted | Replayed>
  /** Ends a token for good. */
  revoke(id: string, input?: RevokeInput): Promise<TokenRecord>
  /** Ends every token of a tenant, of an owner, of both at once, or all that the actor may see. */
  revokeAll(input: RevokeAllInput): Promise<{ readonly count: number }>
  /** One page of the audit, newest first unless `order` says otherwise. */
  events(input?: EventsInput): Promise<Page<AuditEvent>>
  /** Usage of a token. */
  usage(id: string, range?: UsageInput): Promise<UsageReport>
  /** How much up to 100 tokens were used, in even steps of whole hours: what a list shows beside its rows. */
  usageOf(input: UsageOfInput): Promise<{ readonly items: readonly UsageSummary[] }>
  /**
   * Explains why a token would be let in or refused now, or would have been at an instant of the past, step by step in the order of the decision.
   * Counts nothing. `ok` is true only if every step is known to pass.
   *
   * @throws NotFoundError `not_found`
   */
  explain(id: string, input?: ExplainInput): Promise<Explanation>
  /** Scopes that the actor may give to a token: names, `@groups` and wildcards, for a form to offer. */
  grantable(): readonly string[]
  /** Says that an owner's permissions changed, so that every node asks the option `owner` again. Without a tenant it needs `tenants: '*'`. */
  ownerChanged(owner: OwnerInput): Promise<void>
  /**
   * Ends every token of an owner who left, by one write that every node hears of. Needs an actor who manages all tokens of the tenant; without a
   * tenant, `tenants: '*'`. With `dryRun: true` it changes nothing, and answers which tokens would end.
   */
  ownerGone(owner: OwnerGoneInput & { readonly dryRun: true }): Promise<OwnerForecast>
  ownerGone(owner: OwnerGoneInput & { readonly dryRun?: false | undefined }): Promise<OwnerGone>
  /**
   * Removes the id of an owner who is gone from all records and events, and with it names, texts and addresses of the owner's tokens. Safe to repeat.
   *
   * @throws ConflictError `conflict` while a token of the owner is not revoked
   */
  erase(owner: OwnerInput): Promise<Erased>
  /** Puts into the audit that a token was found where it should not be, and acts on it. Repeating a report changes nothing. */
  reportLeak(input: LeakInput): Promise<LeakReported>
  /**
   * Hands every audit event to a handler: in order, at least once, on one node at a time, however many nodes call this under the same name. The
   * position of a name is kept in the store. Needs an actor who sees every event, such as `tokens.system`.
   *
   * It runs until `stop()` or `close()`, and keeps the process alive until then. A handler that fails is given the same event again, after growing
   * waits up to 30 s.
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
   * Makes records of tokens that another system made, from the rows of its table. They go on working in their old shape, and are listed, limited, audited,
   * rotated and revoked like any other. Calling it again goes on where it broke off. Needs an actor who sees every token.
   */
  import<Row>(rows: Iterable<Row> | AsyncIterable<Row>, input: ImportInput<Row, S>): Promise<ImportReport>
  /** Removes tokens that were revoked or expired before the instant, with their usage; their audit stays. Needs an actor who sees every token. */
  prune(input: { readonly before: InstantInput }): Promise<{ readonly count: number }>
}

/** Marks what this library made to decide about tokens, so that the types take nothing else. */
export const AUTHENTICATOR: unique symbol = Symbol('latchkey.authenticator')

/** First argument of `authenticate`: an instance, a verifier of signed tokens, or several combined. */
export interface Authenticator<S extends string = string> {
  /** Says of a token whether it is good now, and for what; counts the use. Throws `StoreUnavailableError` when it cannot decide. */
  verify(token: string, context?: VerifyContext): Promise<Verification<S>>
  readonly [AUTHENTICATOR]: true
}

/** An instance: tokens over one store. */
export interface Latchkey<S extends string = string> extends Authenticator<S> {
  readonly prefix: string
  /** The scopes that exist, with their descriptions. */
  readonly catalogue: { readonly [Name in S]: string }
  /** Is this token good now, and for what? As `verify`, from the primary, without a caller's address, and without counting a use. */
  introspect(token: string): Promise<Introspection>
  /**
   * The verbs, as this actor performs them.
   *
   * @throws InvalidInputError `invalid_input`, field `actor`, for an actor that is absent or incomplete: text is never one
   */
  as(actor: Actor): TokenHandle<S>
  /** The verbs, as the application itself performs them. */
  readonly system: TokenHandle<S>
  /** Writes the counts and refusals that are buffered. */
  flush(): Promise<void>
  /** Whether the store answers, how far behind the change feed is, and what waits to be written. Never rejects: for a readiness probe. */
  health(): Promise<Health>
  /** Writes what is buffered, stops, and closes the store when no other instance uses it. */
  close(): Promise<void>
}

/** The outcome of a use that was admitted. */
export type UseOutcome = 'allowed' | 'scope_insufficient' | 'resource_denied' | 'rate_limited'

/** Decides about credentials, for the adapters. */
export type Decider = {
  /** The scopes that exist, where they are known. */
  readonly catalogue?: { readonly [scope: string]: string } | undefined
  /** How to treat a route that does not name the data a token is limited to. @default 'implicit' */
  readonly resources?: ResourceMode | undefined
  /** Tells the host of a fault that was answered with 503 or swallowed. */
  readonly report: Report
  /** As `verify`, but answers at once where no I/O is needed, and leaves the count of an allowed use to `countUse`. `deadlineMs`: how long that may take, where it has no deadline of its own. */
  decide(token: unknown, context?: VerifyContext, deadlineMs?: number): MaybePromise<Verification>
  /** How long a decision may take. Absent: it follows the deadline that `decide` is given. */
  readonly deadlineMs?: number | undefined
  /** As `decide`, for a ticket, which is spent by it. Absent: it knows no tickets. */
  redeem?(ticket: string, context?: VerifyContext): MaybePromise<Verification>
  /** Where the principal, whose use was allowed, has no refusals left: what the route asks for is not looked into. */
  refusalsSpent?(principal: Principal): RateState | undefined
  /** Writes what was counted and recorded off the path of requests. Absent: there is nothing of the kind. */
  flush?(): Promise<void>
  /** Is this one of its own credentials, good or not? Everything is where it cannot tell. */
  isOwn?(credential: string): boolean
  /** Credentials of other systems, whose tokens were imported. Absent: it knows none. */
  readonly imported?: ForeignShapes | undefined
  /** Does a forged token cost a read of the store? Without a pepper it may, and so does one in the shape of another system. @default false */
  readonly looksUpForgeries?: boolean | undefined
  /** Resolves grants to scopes of the catalogue. */
  resolve?(grants: readonly string[]): ScopeSet
  /** The scope that a misspelled one most likely meant. */
  suggest?(scope: string): string | undefined
  /** Counts one use that `decide` allowed. `scope`: what the route required. A refusal that followed is named in `outcome`. */
  countUse(
    principal: Principal,
    use: { readonly endpoint?: string; readonly scope?: string; readonly ip?: string; readonly outcome?: UseOutcome },
  ): void
}

/** The internal interface of an instance, for the management API and the extensions. */
export type Internals = Decider & {
  readonly settings: Pick<
    Settings,
    'groups' | 'expiry' | 'allowWildcard' | 'usage' | 'owner' | 'clock' | 'retention' | 'store' | 'digesters' | 'imports' | 'monotonic'
  >
  /** For how long a node may believe what it has read, in milliseconds, also while the store is away. */
  readonly boundMs: number
  readonly deadlineMs: number
  readonly vitals: Vitals
  /** How the instance stands, as far as that is known here. */
  readings(): Readings
  /** How the consumers are doing, as far as the store says so within the deadline. None before its first use. */
  consumers(): Promise<readonly ConsumerHealth[]>
  /** Tells of each call to the store, and of its end; `undefined` tells nobody. */
  watchStore(watch: ((method: StoreMethod) => (error?: unknown) => void) | undefined): void
  /** Returns the current permissions of the token with this id, whoever presents it. Answers from memory where `decide` would; counts nothing. */
  standing(id: string, ip?: string, leftMs?: number): MaybePromise<Standing>
  /** The verbs as this actor performs them, who acts from this address unless it names another; and the actor as it was read. */
  actAs(actor: unknown, ip: string | undefined): { readonly handle: TokenHandle; readonly actor: Actor }
  /** Makes a ticket of the token that a principal of this instance was made from. */
  createTicket(principal: unknown): Promise<Ticket>
  /** Records a refused request, coalesced; nobody waits for it. */
  noteAttempt(attempted: Attempted): void
  /** Whose token is this, whatever its status? Reads the primary; decides and counts nothing. `undefined`: none of ours. */
  identify(token: string): Promise<TokenRecord | undefined>
  /** As `consume` of the application itself, with events as the store keeps them. A handler may throw `RetryLater`. */
  follow(name: string, handler: ListedEventHandler, options: { readonly from: 'start' | 'now'; readonly timeoutMs: number }): EventConsumer
  /** The audit, the state of its consumers, and how the server is set up. Throws once the instance is closed. */
  store(): Pick<GuardedStore, 'events' | 'consumers' | 'saveConsumer' | 'diagnose'>
}

// Kept apart from the objects that hosts hold: nobody can hand in a decider of its own.
const deciders: WeakMap<object, Decider> = new WeakMap()
const internals: WeakMap<object, Internals> = new WeakMap()

/** Lets adapters find the decider behind an object. */
export function registerDecider(face: Authenticator, decider: Decider): void {
  deciders.set(face, decider)
}

/** Lets the management API and the extensions find what is behind an instance. */
export function registerInstance(face: object, inside: Internals): void {
  deciders.set(face, inside)
  internals.set(face, inside)
}

/**
 * The decider behind what a host gave. A forgotten `await`, or options in its place, is better told at once.
 *
 * @throws InvalidInputError `invalid_input`, field `tokens`
 */
export function deciderOf(tokens: unknown): Decider {
  return found(deciders, tokens)
}

/**
 * Returns the internal interface of an instance.
 *
 * @throws InvalidInputError `invalid_input`, field `tokens`
 */
export function internalsOf(tokens: unknown): Internals {
  return found(internals, tokens)
}

function found<T>(map: WeakMap<object, T>, tokens: unknown): T {
  const inside = typeof tokens === 'object' && tokens !== null ? map.get(tokens) : undefined
  if (inside === undefined) {
    const copies = aboutCopies()
    throw new InvalidInputError(
      'tokens',
      `must be the result of latchkey(options)${copies === undefined ? misgiven(tokens) : `; ${copies}`}`,
    )
  }
  return inside
}
