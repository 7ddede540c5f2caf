import { InvalidInputError } from './errors.js'
import type { Actor } from './model/actor.js'
import type { AuditEvent } from './model/event.js'
import type { MaybePromise, Resources } from './model/json.js'
import { ownFields } from './model/own-fields.js'
import type { Duration } from './model/record.js'
import { BALANCED, type CacheOptions, type CachePreset, readCache } from './policy/cache-bounds.js'
import { type Catalogue, compileCatalogue } from './policy/catalogue.js'
import { type Expiry, type ExpiryOptions, expiryShape, readExpiry } from './policy/expiry.js'
import { type Imports, type ImportsOptions, importsShape, readImports } from './policy/imports.js'
import { type MaxTokensOptions, maxTokensShape } from './policy/max-tokens.js'
import { type Notices, type NoticesOptions, readNotices } from './policy/notices.js'
import { callback, duration, flag, secretText } from './policy/option-kinds.js'
import { anything, either, listOf, objectOf, oneOf, passing, readOption, readPart, string } from './policy/option-reader.js'
import { refuseUndefined } from './policy/read-input.js'
import { type ResourceMode, resourceMode } from './policy/resource-mode.js'
import { type Retention, type RetentionOptions, readRetention, retentionShape } from './policy/retention.js'
import { readSealing, type Sealing, type SealingOptions } from './policy/sealing.js'
import type { RateLimitOptions } from './rate-limit/model.js'
import { type ReadRateLimits, readRateLimit } from './rate-limit/read-options.js'
import { faultShape, readFaults } from './store/fault-options.js'
import { wholeMilliseconds } from './store/host-clock.js'
import { isStore } from './store/is-store.js'
import type { TokenStore } from './store/port.js'
import type { FaultOptions } from './store/reporter.js'
import { createDigesters, type Digester } from './token/digest.js'
import type { RandomSource } from './token/generate.js'
import { createParser, isPrefix, type ParsedToken } from './token/parse.js'
import { platformRandom } from './token/random.js'

/** Current permissions of an owner. */
export type OwnerPermissions = {
  readonly scopes: readonly string[]
  /** Data that the owner may access. Absent: all data. An absent dimension is unrestricted. */
  readonly resources?: Resources
}

/** The options of `latchkey()`. They are validated once and then frozen; unknown keys are refused. */
export type LatchkeyOptions<S extends string = string> = FaultOptions & {
  /** Lowercase words joined by `_`, at most 24 characters: `acme_live`. Tokens with a different prefix are refused without a store call. */
  readonly prefix: string
  readonly store: TokenStore
  /** The scopes that exist, each with a description for people. */
  readonly scopes: { readonly [Name in S]: string }
  /** Named sets of scopes. A token contains one as `@name`, and follows later changes to the group. @default {} */
  readonly groups?: { readonly [group: string]: readonly (NoInfer<S> | `${string}:*` | '*')[] }
  /** Scopes that a scope includes: `{ 'stock:write': ['stock:read'] }`. @default {} */
  readonly implies?: { readonly [Name in S]?: readonly NoInfer<S>[] }
  /** Whether a token may have the bare `*`. @default false */
  readonly allowWildcard?: boolean
  /**
   * One or more peppers of at least 32 characters each, newest first. New tokens use the first; all of them verify. `false` in the list means no pepper.
   */
  readonly pepper?: string | readonly (string | false)[]
  /** Accepts tokens that another system issued, once `import` has added them. @default none */
  readonly imports?: ImportsOptions
  /**
   * Returns an owner's current permissions, or `null` if the owner is gone. A token can never do more than its owner. Not called for tokens without
   * an owner.
   */
  readonly owner?: (owner: { readonly ownerId: string; readonly tenantId?: string }) => MaybePromise<OwnerPermissions | null>
  /**
   * Returns whether this actor may name this owner for a new token. Called only for owners other than the actor itself. Without it, an actor who
   * manages `all` may name any owner within its tenants, and an actor who manages `own` may name only itself.
   */
  readonly mayOwn?: (actor: Actor, owner: { readonly ownerId: string; readonly tenantId?: string }) => MaybePromise<boolean>
  /** How many tokens may exist. */
  readonly maxTokens?: MaxTokensOptions
  /** Whether a token that is limited to some data may pass a route that does not name that data: `explicit` refuses it. @default 'implicit' */
  readonly resources?: ResourceMode
  /** How long tokens live. */
  readonly expiry?: ExpiryOptions
  /** How verification caches records: a preset, bounds of your own, or `false` to read the store for every verification. @default 'balanced' */
  readonly cache?: CachePreset | CacheOptions | false
  /** How uses are counted; `false` disables counting. */
  readonly usage?:
    | false
    | {
        /** How often counts are written to the store. @default '1s' */
        readonly flushEvery?: Duration
      }
  /** Audit events about what happens as time passes, such as a token's expiry. `false`: none. */
  readonly notices?: NoticesOptions | false
  /** How long old data is kept. */
  readonly retention?: RetentionOptions
  /** Seals the audit events, outside of the request path, so that `verifyAudit` detects later changes. @default false */
  readonly sealing?: SealingOptions | false
  /** Rate limits for tokens, owners and tenants, counted by limiters of rate-limiter-flexible. */
  readonly rateLimit?: RateLimitOptions
  /**
   * The reaction to a rotated token that is presented after it has stopped being valid. Its holder has a successor, so someone else may have the old token. A
   * `token.reused` event is recorded in any case. `revoke_lineage` also revokes every token in the lineage, including the one in use.
   *
   * @default only the event
   */
  readonly onReuse?: 'revoke_lineage'
  /**
   * The time limit for one decision or one method call, including everything that it waits for. For long-running work it applies to each call to the
   * store or a hook. @default '2s'
   */
  readonly deadline?: Duration
  /**
   * Called with an audit event once it is durable, on the node that wrote it; for an event written in a transaction of the host, on the node that assigns
   * its position. Errors that it throws have no effect. Delivery is not guaranteed: a crash may lose events, and events of other nodes are not included.
   * `consume` delivers every event.
   */
  readonly onEvent?: (event: AuditEvent) => unknown
  /** Returns milliseconds since the Unix epoch. For tests. @default Date.now */
  readonly clock?: () => number
  /** Returns `size` random bytes. For tests. @default crypto.getRandomValues */
  readonly random?: (size: number) => Uint8Array
}

/** The options as the rest of the library reads them. */
export type Settings = {
  readonly prefix: string
  readonly store: TokenStore
  readonly scopes: { readonly [name: string]: string }
  readonly groups: { readonly [group: string]: readonly string[] }
  readonly catalogue: Catalogue
  readonly allowWildcard: boolean
  readonly digesters: readonly [Digester, ...Digester[]]
  readonly parse: (token: unknown) => ParsedToken | undefined
  /** Absent: no tokens from another system are known. */
  readonly imports: Imports | undefined
  readonly owner: ((owner: { readonly ownerId: string; readonly tenantId?: string }) => unknown) | undefined
  readonly mayOwn: LatchkeyOptions['mayOwn'] | undefined
  readonly maxTokens: MaxTokensOptions
  readonly resources: ResourceMode
  readonly expiry: Expiry
  readonly cache: { readonly maxEntries: number } | undefined
  readonly maxStalenessMs: number
  readonly ownerStalenessMs: number
  readonly serveStaleMs: number
  readonly usage: { readonly flushMs: number } | undefined
  readonly rateLimit: ReadRateLimits | undefined
  readonly onReuse: 'revoke_lineage' | undefined
  readonly retention: Retention
  readonly sealing: Sealing | undefined
  readonly notices: Notices
  readonly deadlineMs: number
  readonly onEvent: ((event: AuditEvent) => unknown) | undefined
  readonly faults: FaultOptions
  readonly clock: () => number
  /** The same as `clock`; absent if the host passed its own clock, because only the wall clock shows for how long a machine was asleep. */
  readonly wall: (() => number) | undefined
  readonly monotonic: () => number
  readonly random: RandomSource
}

const named = (error: string) =>
  passing<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), error)
const PEPPERS =
  'must be a string of at least 32 characters, or a list of such strings, newest first, with false for tokens created without one'

const reader = objectOf({
  prefix: string('must be a string such as acme_live').and(
    isPrefix,
    'must be lowercase words joined by "_", starting with a letter, at most 24 characters, such as acme_live',
  ),
  store: passing<TokenStore>((value) => typeof value !== 'function', 'is a function: call it, as in memoryStore()').and(
    isStore,
    'must be a store, such as sqliteStore(path): an object with the methods of TokenStore',
  ),
  scopes: named("must be an object of scopes and their descriptions, such as { 'inventory:read': 'See stock' }"),
  groups: named("must be an object of groups and their scopes, such as { staff: ['inventory:read'] }").default({}),
  implies: named("must be an object of scopes and the scopes that they include, such as { 'stock:write': ['stock:read'] }").default({}),
  allowWildcard: flag.default(false),
  pepper: either(
    [secretText, listOf(either([secretText, oneOf([false], PEPPERS)], PEPPERS), { min: 1, range: 'must not be an empty list' })],
    PEPPERS,
  ).optional(),
  imports: importsShape.optional(),
  owner: callback<NonNullable<LatchkeyOptions['owner']>>().optional(),
  mayOwn: callback<NonNullable<LatchkeyOptions['mayOwn']>>().optional(),
  maxTokens: maxTokensShape.default({}),
  resources: resourceMode.default('implicit'),
  expiry: expiryShape.default({ required: false }),
  cache: anything.default('balanced'),
  usage: anything.default({}),
  rateLimit: anything,
  onReuse: oneOf(['revoke_lineage'], "must be 'revoke_lineage', or omitted").optional(),
  retention: anything.default({}),
  sealing: anything.default(false),
  notices: anything.default({}),
  deadline: duration({ min: 0.01, max: 300, fraction: true }).default(2),
  onEvent: callback<NonNullable<LatchkeyOptions['onEvent']>>().optional(),
  ...faultShape,
  clock: callback<() => number>().optional(),
  random: callback<RandomSource>().optional(),
})

const usageReader = objectOf({ flushEvery: duration({ min: 0.01, max: 60, fraction: true }).default(1) })

/** The settings that the management API and the extensions read. */
export type SharedSettings = Pick<Settings, 'groups' | 'expiry' | 'allowWildcard' | 'usage' | 'owner' | 'clock' | 'retention'> &
  Pick<Settings, 'store' | 'digesters' | 'sealing' | 'imports' | 'monotonic'>

/**
 * Checks and completes the options.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readOptions(options: LatchkeyOptions): Settings {
  if (isStore(options))
    throw new InvalidInputError('options', 'must be an object that names the store: latchkey({ prefix, store, scopes })')
  const given = readOption(reader, withoutUndefined(options), 'options')
  const catalogue = compileCatalogue({
    scopes: given.scopes,
    groups: given.groups,
    implies: given.implies,
    allowWildcard: given.allowWildcard,
  })
  const cache = readCache(given.cache)
  const usage = given.usage === false ? undefined : readPart('usage', usageReader, given.usage)
  const { maxStaleness, ownerStaleness, serveStaleFor, maxEntries } = cache ?? BALANCED
  const retention = readRetention(readPart('retention', retentionShape, given.retention))
  // Looked up at each reading, so that a fake clock that the host installs later takes effect.
  const wall = wholeMilliseconds(() => Date.now())
  return Object.freeze({
    prefix: given.prefix,
    store: given.store,
    scopes: Object.freeze({ ...(given.scopes as LatchkeyOptions['scopes']) }),
    groups: frozenLists(given.groups as { readonly [group: string]: readonly string[] }),
    catalogue,
    allowWildcard: given.allowWildcard,
    digesters: createDigesters(given.pepper === undefined ? [] : [given.pepper].flat()),
    parse: createParser(given.prefix),
    imports: given.imports === undefined ? undefined : readImports(given.imports, given.prefix),
    owner: given.owner,
    mayOwn: given.mayOwn,
    maxTokens: Object.freeze(ownFields(given.maxTokens)),
    resources: given.resources,
    expiry: readExpiry(given.expiry),
    cache: cache === undefined ? undefined : { maxEntries },
    maxStalenessMs: maxStaleness * 1000,
    ownerStalenessMs: ownerStaleness * 1000,
    serveStaleMs: serveStaleFor * 1000,
    usage: usage === undefined ? undefined : { flushMs: usage.flushEvery * 1000 },
    rateLimit: given.rateLimit === undefined ? undefined : readRateLimit(given.rateLimit),
    onReuse: given.onReuse,
    sealing: readSealing(given.sealing),
    retention,
    notices: readNotices(given.notices, {
      usage: usage !== undefined,
      unusedSeconds: given.expiry.unused,
      eventsMs: retention.eventsMs,
    }),
    deadlineMs: given.deadline * 1000,
    onEvent: given.onEvent,
    faults: readFaults(given),
    clock: given.clock === undefined ? wall : wholeMilliseconds(given.clock),
    wall: given.clock === undefined ? wall : undefined,
    monotonic: () => performance.now(),
    random: given.random ?? platformRandom,
  })
}

function frozenLists(groups: { readonly [group: string]: readonly string[] }): { readonly [group: string]: readonly string[] } {
  return Object.freeze(Object.fromEntries(Object.entries(groups).map(([name, members]) => [name, Object.freeze([...members])])))
}

/** If one of these options were lost by mistake, more tokens would be valid. */
const NEVER_UNDEFINED = ['pepper', 'owner', 'mayOwn', 'maxTokens', 'expiry', 'rateLimit', 'onReuse', 'resources'] as const

// An option that is explicitly `undefined` counts as omitted, except where its loss would weaken a check.
function withoutUndefined(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  refuseUndefined(options, NEVER_UNDEFINED)
  for (const name of ['expiry', 'maxTokens']) {
    const lost = Object.entries(Object(Reflect.get(options, name))).find(([, value]) => value === undefined)
    if (lost !== undefined) throw new InvalidInputError([name, lost[0]], 'is undefined: omit it, or check where it comes from')
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
