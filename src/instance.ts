import type { RefusalCode } from './errors.js'
import type { ActorInput } from './model/actor.js'
import type { AuditAction, AuditEvent, LeakInput, LeakReported } from './model/event.js'
import type { MaybePromise } from './model/json.js'
import type { Introspection, Principal, Verification, VerifyContext } from './model/principal.js'
import type { CreateInput, Minted, Page, Replayed, TokenRecord, TokenStatus, UpdateInput } from './model/record.js'
import type { UsageReport, UsageSummary } from './model/usage.js'

/** Who does it. Required: `'system'` is the application itself; a person is limited to its tenants and scopes. */
export type By = { readonly actor: ActorInput }

/** For reads: without an actor, the application itself asks. An actor that is `undefined` or incomplete is an error. */
export type MaybeBy = { readonly actor?: ActorInput }

/** What `list` filters by. */
export type ListInput = {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly createdBy?: string | undefined
  readonly status?: TokenStatus | readonly TokenStatus[] | undefined
  /** Substring of the name, taken literally, ASCII letters in either case. */
  readonly name?: string | undefined
  readonly rotationDue?: boolean | undefined
  readonly expiresWithinSeconds?: number | undefined
  readonly neverExpires?: boolean | undefined
  readonly unusedForSeconds?: number | undefined
  readonly neverUsed?: boolean | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** What `events` filters by. */
export type EventsInput = {
  readonly tokenId?: string | undefined
  readonly tenantId?: string | undefined
  readonly action?: AuditAction | readonly AuditAction[] | undefined
  /** 1 to 1000. @default 50 */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** What `usageOf` reports about. */
export type UsageOfInput = {
  /** 1 to 100 ids. */
  readonly ids: readonly string[]
  readonly from: Date | number | string
  /** @default now */
  readonly to?: Date | number | string | undefined
  /** Whole hours, at most 1000 steps. @default 3600 */
  readonly stepSeconds?: number | undefined
}

/** Which tokens `revokeAll` ends: one field at least. */
export type RevokeAllInput = {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly all?: true | undefined
  readonly reason?: string | undefined
  readonly waitForNodes?: boolean | undefined
}

/** What `revoke` takes. */
export type RevokeInput = {
  /** Kept as `revokedReason` and in the audit. */
  readonly reason?: string | undefined
  /** Resolve only when every live node has followed the change, at most `maxStalenessSeconds` later. @default false */
  readonly waitForNodes?: boolean | undefined
}

/** What `rotate` takes. */
export type RotateInput = {
  /** How long the old token goes on beside the new one. @default 0 */
  readonly overlapSeconds?: number | undefined
  readonly idempotencyKey?: string | undefined
}

/** An instance: the verbs of a token's life over one store. */
export interface Latchkey<S extends string = string> {
  readonly prefix: string
  /** The scopes that exist, with their descriptions. */
  readonly catalogue: { readonly [Name in S]: string }
  readonly groups: { readonly [group: string]: readonly string[] }
  /** What the options allow at creation. */
  readonly limits: {
    readonly defaultTtlSeconds?: number
    readonly maxTtlSeconds?: number
    readonly requireExpiry: boolean
    readonly allowWildcard: boolean
  }
  create(input: CreateInput<S> & { readonly idempotencyKey?: undefined }, by: By): Promise<Minted>
  create(input: CreateInput<S>, by: By): Promise<Minted | Replayed>
  /** Decides and counts one use. Never throws for a bad token; throws `StoreUnavailableError` when it cannot decide. */
  verify(token: string, context?: VerifyContext): Promise<Verification<S>>
  /** As `verify`, but answers at once where no I/O is needed, and leaves the count of an allowed use to `countUse`. For adapters. */
  decide(token: unknown, context?: VerifyContext): MaybePromise<Verification<S>>
  /** Counts one use that `decide` allowed. A refusal that followed (`scope_insufficient`, `resource_denied`) is named in `outcome`. */
  countUse(
    principal: Principal,
    use: {
      readonly endpoint?: string
      readonly ip?: string
      readonly outcome?: 'allowed' | 'scope_insufficient' | 'resource_denied' | 'rate_limited'
    },
  ): void
  /** Whose token is this, whatever its status? Reads the primary; decides and counts nothing. `undefined`: none of ours. */
  identify(token: string): Promise<TokenRecord | undefined>
  /** Is this token good now, and for what? As `verify`, from the primary, without a caller's address, and without counting a use. */
  introspect(token: string): Promise<Introspection>
  /** Would a token of this id be refused now, whoever presents it? Answers from memory where `decide` would; counts nothing. */
  check(id: string): MaybePromise<RefusalCode | undefined>
  /** Puts into the audit that a token was found where it should not be, and acts on it. Repeating a report changes nothing. */
  reportLeak(input: LeakInput, by: By): Promise<LeakReported>
  get(id: string, by?: MaybeBy): Promise<TokenRecord | undefined>
  list(input?: ListInput, by?: MaybeBy): Promise<Page<TokenRecord>>
  update(id: string, changes: UpdateInput<S>, by: By & { readonly version?: number | undefined }): Promise<TokenRecord>
  activate(id: string, by: By & { readonly version?: number | undefined }): Promise<TokenRecord>
  deactivate(id: string, by: By & { readonly version?: number | undefined }): Promise<TokenRecord>
  rotate(id: string, input: RotateInput & { readonly idempotencyKey?: undefined }, by: By): Promise<Minted>
  rotate(id: string, input: RotateInput, by: By): Promise<Minted | Replayed>
  /** `waitForNodes` answers only when no node accepts the token any more. */
  revoke(id: string, input: RevokeInput, by: By): Promise<TokenRecord>
  revokeAll(input: RevokeAllInput, by: By): Promise<{ readonly count: number }>
  events(input?: EventsInput, by?: MaybeBy): Promise<Page<AuditEvent>>
  usage(
    id: string,
    range?: { readonly from?: Date | number | string; readonly to?: Date | number | string },
    by?: MaybeBy,
  ): Promise<UsageReport>
  /** How much up to 100 tokens were used, in even steps of whole hours: what a list shows beside its rows. */
  usageOf(input: UsageOfInput, by?: MaybeBy): Promise<{ readonly items: readonly UsageSummary[] }>
  /** What the actor may put among a token's scopes: names, `@groups` and wildcards, for a form to offer. */
  grantable(by?: MaybeBy): readonly string[]
  /** Removes tokens that were revoked or expired before the instant, with their usage; their audit stays. */
  prune(input: { readonly before: Date | number | string }, by?: MaybeBy): Promise<{ readonly count: number }>
  /** Says that an owner's permissions changed, so that every node asks the `ownerScopes` hook again. */
  ownerChanged(ownerId: string, by?: MaybeBy): Promise<void>
  /** Writes what is buffered, stops, and closes the store when no other instance uses it. */
  close(): Promise<void>
}

/** What `authenticate` needs: an instance, a verifier of signed tokens, or several in one. */
export type Authenticator = Pick<Latchkey, 'decide' | 'countUse'> & { readonly catalogue?: { readonly [scope: string]: string } }
