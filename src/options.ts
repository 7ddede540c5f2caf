import * as z from 'zod'
import { InvalidInputError } from './errors.js'
import type { AuditEvent } from './model/event.js'
import type { MaybePromise } from './model/json.js'
import { type Catalogue, compileCatalogue } from './policy/catalogue.js'
import { readShape } from './policy/shape.js'
import type { RateLimitOptions } from './rate-limit/model.js'
import { readRateLimit } from './rate-limit/read-options.js'
import type { TokenStore } from './store/port.js'
import { createDigesters, type Digester } from './token/digest.js'
import type { RandomSource } from './token/generate.js'
import { createParser, isPrefix, type ParsedToken } from './token/parse.js'
import { platformRandom } from './token/random.js'

/** The options of `latchkey()`. Validated once, unknown keys refused, then frozen. */
export type LatchkeyOptions<S extends string = string> = {
  /** Lower-case words joined by `_`, at most 24 characters: `acme_live`. Tokens of another prefix are refused without a store call. */
  readonly prefix: string
  readonly store: TokenStore
  /** The scopes that exist, each with a description for people. */
  readonly scopes: { readonly [Name in S]: string }
  /** Named sets of scopes; a token holds one as `@name`, and follows it when it is edited. @default {} */
  readonly groups?: { readonly [group: string]: readonly string[] }
  /** Scopes that come with a scope: `{ 'stock:write': ['stock:read'] }`. @default {} */
  readonly implies?: { readonly [Name in S]?: readonly NoInfer<S>[] }
  /** May a token hold the bare `*`? @default false */
  readonly allowWildcard?: boolean
  /** At least 32 characters each, newest first: the first mints, all verify. */
  readonly pepper?: string | readonly string[]
  /** The owner's scopes now, or `null` when the owner is gone. Not asked for tokens without an owner. */
  readonly ownerScopes?: (owner: { readonly ownerId: string; readonly tenantId?: string }) => MaybePromise<readonly string[] | null>
  /** Given to tokens that name no expiry. */
  readonly defaultTtlSeconds?: number
  /** The longest life of a token, from its creation. */
  readonly maxTtlSeconds?: number
  /** @default false */
  readonly requireExpiry?: boolean
  /** How verification caches records, or `false`: ask the store for every verification. */
  readonly cache?: false | CacheOptions
  /** How uses are counted, or `false`: not at all. */
  readonly usage?: false | { /** @default 1 */ readonly flushIntervalSeconds?: number }
  /** How much a token, an owner or a tenant may use, counted by limiters of rate-limiter-flexible. */
  readonly rateLimit?: RateLimitOptions
  /** For each call to the store or a hook. @default 2 */
  readonly deadlineSeconds?: number
  /** Told of every audit event after it is durable; its faults change nothing. */
  readonly onEvent?: (event: AuditEvent) => unknown
  /** Milliseconds since the Unix epoch. For tests. @default Date.now */
  readonly clock?: () => number
  /** `size` random bytes. For tests. @default crypto.getRandomValues */
  readonly random?: (size: number) => Uint8Array
}

/** The `cache` option. */
export type CacheOptions = {
  /** How long a node may go on without having followed the store's change feed. @default 2 */
  readonly maxStalenessSeconds?: number
  /** @default 100_000 */
  readonly maxEntries?: number
  /** How long an owner's scopes count once asked; 0 asks for every verification. @default 0 */
  readonly ownerStalenessSeconds?: number
  /** When neither feed nor store can be reached: refuse with 503, or go on with cached records for some seconds more. @default 'refuse' */
  readonly onStale?: 'refuse' | { readonly serveForSeconds: number }
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
  readonly ownerScopes: ((owner: { readonly ownerId: string; readonly tenantId?: string }) => unknown) | undefined
  readonly defaultTtlSeconds: number | undefined
  readonly maxTtlSeconds: number | undefined
  readonly requireExpiry: boolean
  readonly cache: { readonly maxEntries: number } | undefined
  readonly maxStalenessMs: number
  readonly ownerStalenessMs: number
  readonly serveStaleMs: number
  readonly usage: { readonly flushMs: number } | undefined
  readonly rateLimit: RateLimitOptions | undefined
  readonly deadlineMs: number
  readonly onEvent: ((event: AuditEvent) => unknown) | undefined
  readonly clock: () => number
  readonly monotonic: () => number
  readonly random: RandomSource
}

const CENTURY_SECONDS = 3_155_760_000

const seconds = (min: number, max: number) =>
  z
    .number({ error: 'must be a number of seconds' })
    .min(min, { error: `must be at least ${min} seconds` })
    .max(max, { error: `must be at most ${max} seconds` })
const wholeSeconds = seconds(1, CENTURY_SECONDS).int({ error: 'must be whole seconds' })
const callback = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', { error: 'must be a function' })
const named = (error: string) =>
  z.custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), { error })
const pepperText = z.string({ error: 'must be a string' }).min(32, { error: 'must be at least 32 characters long' })

const schema = z.strictObject({
  prefix: z.string({ error: 'must be a string such as acme_live' }).refine(isPrefix, {
    error: 'must be lower-case words joined by "_", starting with a letter, at most 24 characters, such as acme_live',
  }),
  store: z.custom<TokenStore>(isStore, { error: 'must be a store, such as sqliteStore(path): an object with the methods of TokenStore' }),
  scopes: named("must be an object of scopes and their descriptions, such as { 'inventory:read': 'See stock' }"),
  groups: named("must be an object of groups and their scopes, such as { staff: ['inventory:read'] }").default({}),
  implies: named("must be an object of scopes and what comes with them, such as { 'stock:write': ['stock:read'] }").default({}),
  allowWildcard: z.boolean({ error: 'must be true or false' }).default(false),
  pepper: z.union([pepperText, z.array(pepperText).min(1, { error: 'must not be an empty list' })], { error: peppersMessage }).optional(),
  ownerScopes: callback.optional(),
  defaultTtlSeconds: wholeSeconds.optional(),
  maxTtlSeconds: wholeSeconds.optional(),
  requireExpiry: z.boolean({ error: 'must be true or false' }).default(false),
  cache: z
    .union(
      [
        z.literal(false),
        z.strictObject({
          maxStalenessSeconds: seconds(0.05, 60).optional(),
          maxEntries: z.number().int().min(1, { error: 'must be at least 1' }).max(10_000_000).optional(),
          ownerStalenessSeconds: seconds(0, 60).optional(),
          onStale: z.union([z.literal('refuse'), z.strictObject({ serveForSeconds: seconds(0, 3600) })]).optional(),
        }),
      ],
      { error: 'must be false, or { maxStalenessSeconds (0.05 to 60), maxEntries, ownerStalenessSeconds, onStale }' },
    )
    .default({}),
  usage: z
    .union([z.literal(false), z.strictObject({ flushIntervalSeconds: seconds(0.01, 60).optional() })], {
      error: 'must be false, or { flushIntervalSeconds (0.01 to 60) }',
    })
    .default({}),
  rateLimit: z.unknown().optional(),
  deadlineSeconds: seconds(0.01, 300).default(2),
  onEvent: callback.optional(),
  clock: callback.optional(),
  random: callback.optional(),
})

function peppersMessage(): string {
  return 'must be a string of at least 32 characters, or a list of such, newest first'
}

const STORE_METHODS = [
  'find',
  'list',
  'commit',
  'revokeWhere',
  'events',
  'changes',
  'recordUsage',
  'usage',
  'renewLease',
  'leases',
  'reached',
] as const

function isStore(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return STORE_METHODS.every((method) => typeof Reflect.get(value, method) === 'function')
}

/**
 * Checks and completes the options.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readOptions(options: LatchkeyOptions): Settings {
  const given = readShape(schema, withoutUndefined(options), 'options')
  const catalogue = compileCatalogue({
    scopes: given.scopes as LatchkeyOptions['scopes'],
    groups: given.groups as { readonly [group: string]: readonly string[] },
    implies: given.implies as { readonly [scope: string]: readonly string[] },
    allowWildcard: given.allowWildcard,
  })
  refuseUnsoundLifetimes(given)
  const cache = given.cache === false ? undefined : given.cache
  const onStale = cache?.onStale ?? 'refuse'
  return Object.freeze({
    prefix: given.prefix,
    store: given.store,
    scopes: Object.freeze({ ...(given.scopes as LatchkeyOptions['scopes']) }),
    groups: frozenLists(given.groups as { readonly [group: string]: readonly string[] }),
    catalogue,
    allowWildcard: given.allowWildcard,
    digesters: createDigesters(given.pepper === undefined ? [] : [given.pepper].flat()),
    parse: createParser(given.prefix),
    ownerScopes: given.ownerScopes as Settings['ownerScopes'],
    defaultTtlSeconds: given.defaultTtlSeconds,
    maxTtlSeconds: given.maxTtlSeconds,
    requireExpiry: given.requireExpiry,
    cache: cache === undefined ? undefined : { maxEntries: cache.maxEntries ?? 100_000 },
    maxStalenessMs: (cache?.maxStalenessSeconds ?? 2) * 1000,
    ownerStalenessMs: (cache?.ownerStalenessSeconds ?? 0) * 1000,
    serveStaleMs: onStale === 'refuse' ? 0 : onStale.serveForSeconds * 1000,
    usage: given.usage === false ? undefined : { flushMs: (given.usage.flushIntervalSeconds ?? 1) * 1000 },
    rateLimit: given.rateLimit === undefined ? undefined : readRateLimit(given.rateLimit),
    deadlineMs: given.deadlineSeconds * 1000,
    onEvent: given.onEvent as Settings['onEvent'],
    clock: (given.clock as Settings['clock'] | undefined) ?? Date.now,
    monotonic: () => performance.now(),
    random: (given.random as RandomSource | undefined) ?? platformRandom,
  })
}

function frozenLists(groups: { readonly [group: string]: readonly string[] }): { readonly [group: string]: readonly string[] } {
  return Object.freeze(Object.fromEntries(Object.entries(groups).map(([name, members]) => [name, Object.freeze([...members])])))
}

function refuseUnsoundLifetimes(given: { defaultTtlSeconds?: number | undefined; maxTtlSeconds?: number | undefined }): void {
  if (given.defaultTtlSeconds === undefined || given.maxTtlSeconds === undefined) return
  if (given.defaultTtlSeconds > given.maxTtlSeconds) {
    throw new InvalidInputError('defaultTtlSeconds', `is ${given.defaultTtlSeconds}, more than maxTtlSeconds (${given.maxTtlSeconds})`)
  }
}

/** Without these, more tokens are good: one that got lost on its way must not go unnoticed. */
const NEVER_UNDEFINED = ['pepper', 'ownerScopes', 'maxTtlSeconds', 'requireExpiry', 'rateLimit'] as const

// An option that is spelled out as `undefined` counts as left out, except where that would loosen what is checked.
function withoutUndefined(options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  for (const name of NEVER_UNDEFINED) {
    if (name in options && Reflect.get(options, name) === undefined) {
      throw new InvalidInputError(name, 'is undefined: leave it out to go without it, or check where it comes from')
    }
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
