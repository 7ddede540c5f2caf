import type { Fields } from './fields.js'
import type { JsonObject, Resources } from './json.js'

/** The statuses of a token, in order of precedence: the first that applies counts, and `active` if none does. */
export const STATUSES = ['revoked', 'inactive', 'pending', 'expired', 'active'] as const

/** The status at an instant, derived from the record: revoked, inactive, pending (`now < notBefore`), expired (`now >= expiresAt`), active. */
export type TokenStatus = (typeof STATUSES)[number]

/** The kind of change that revoked a token. */
export type RevokedCode = 'manual' | 'bulk' | 'rotated' | 'pruned' | 'leaked' | 'reused' | 'owner_gone'

/** The reach of an actor: its own tokens, all tokens of a tenant, or the tokens of every tenant. */
export type Reach = 'own' | 'tenant' | 'all'

/** An instant as callers may pass it: a `Date`, milliseconds since the epoch, or an ISO 8601 string with a time zone. */
export type InstantInput = Date | number | string

/** A duration: a number of seconds, or a string with a unit, such as `'30s'`, `'15m'`, `'12h'`, `'90d'` or `'2w'`. */
export type Duration = number | `${number}${'s' | 'm' | 'h' | 'd' | 'w'}`

/** An entry of a token's scopes: a scope in the catalogue, a wildcard, or a group. */
export type GrantInput<S extends string = string> = S | `${string}:*` | '*' | `@${string}`

/** The stored type of each kind of field. */
type StoredKinds = {
  id: string
  word: string
  text: string
  count: number
  instant: number
  duration: number
  grants: readonly string[]
  resources: Resources
  networks: readonly string[]
  json: JsonObject
  flag: true
}

/** The type of each kind of field in a record. */
type RecordKinds = Omit<StoredKinds, 'instant'> & { instant: Date }

/** The type of each kind of field in an input. */
type InputKinds<S extends string> = Omit<StoredKinds, 'instant' | 'duration' | 'grants'> & {
  instant: InstantInput
  duration: Duration
  grants: readonly GrantInput<S>[]
}

/** Shows a type as one object in editors and declarations. */
type Shown<T> = { [K in keyof T]: T[K] }

type Required_<F> = F extends { required: true } ? true : false
type Kind<F, Kinds> = F extends { kind: infer K extends keyof Kinds } ? Kinds[K] : never

/** Fields whose values come from a closed set of words. */
type Words = { deactivatedReach: Reach; revokedCode: RevokedCode }
type Value<K, F, Kinds> = K extends keyof Words ? Words[K] : Kind<F, Kinds>

type Always<Kinds, Left> = {
  readonly [K in keyof Fields as Fields[K] extends Left ? never : Required_<Fields[K]> extends true ? K : never]: Value<K, Fields[K], Kinds>
}
type Sometimes<Kinds, Left> = {
  readonly [K in keyof Fields as Fields[K] extends Left ? never : Required_<Fields[K]> extends true ? never : K]?: Value<
    K,
    Fields[K],
    Kinds
  >
}

/** A token as a store keeps it: everything except the secret. */
export type StoredToken = Shown<Always<StoredKinds, { beside: true }> & Sometimes<StoredKinds, { beside: true }>>

/** A stored token with its last use, as `list` returns it. */
export type ListedToken = Shown<Always<StoredKinds, never> & Sometimes<StoredKinds, never>>

/** A token without its secret or digest, safe to show. Instants are `Date`s, which JSON serializes as ISO 8601 in UTC. */
export type TokenRecord = Shown<
  Always<RecordKinds, { secret: true }> & {
    /** For display: prefix, four characters of the ID, an ellipsis. */
    readonly hint: string
    /** Derived from the record's instants when the record is read. */
    readonly status: TokenStatus
  } & Sometimes<RecordKinds, { secret: true }>
>

/** The name of a field in inputs. */
type InputName<K, F> = F extends { input: infer Name extends string } ? Name : K

type Settable<K extends keyof Fields, By> = Fields[K] extends { set: By } ? InputName<K, Fields[K]> : never
type Creatable = 'create' | 'create and update'
/** Mutually exclusive fields. The types express this separately, because the table cannot. */
type EitherOr = 'scopes' | 'inherit'

type MustCreate<S extends string> = {
  readonly [K in keyof Fields as K extends EitherOr ? never : Required_<Fields[K]> extends true ? Settable<K, Creatable> : never]: Kind<
    Fields[K],
    InputKinds<S>
  >
}
type MayCreate<S extends string> = {
  readonly [K in keyof Fields as K extends EitherOr ? never : Required_<Fields[K]> extends true ? never : Settable<K, Creatable>]?:
    | Kind<Fields[K], InputKinds<S>>
    | undefined
}

/** The permissions of a token: its own scopes, or everything that its owner may currently do. */
export type GrantsInput<S extends string = string> =
  | { readonly inherit: true; readonly scopes?: undefined }
  | { readonly scopes: readonly GrantInput<S>[]; readonly inherit?: undefined }

/** Input of `create`. */
export type CreateInput<S extends string = string> = Shown<
  MustCreate<S> &
    MayCreate<S> & {
      /** How long the token lives from now. An alternative to `expiresAt`. */
      readonly expiresIn?: Duration | undefined
      /** A retry with the same key does not create a second token: it returns the record of the first token, without the token string. */
      readonly idempotencyKey?: string | undefined
    }
> &
  GrantsInput<S>

type MayUpdate<S extends string> = {
  readonly [K in keyof Fields as Settable<K, 'create and update'>]?:
    | Kind<Fields[K], InputKinds<S>>
    | (Required_<Fields[K]> extends true ? never : null)
    | undefined
}

/** Input of `update`. An omitted field stays unchanged; `null` removes it. */
export type UpdateInput<S extends string = string> = Shown<
  MayUpdate<S> & {
    /** How long the token lives from now. An alternative to `expiresAt`. */
    readonly expiresIn?: Duration | undefined
  }
>

/** Options of `rotate`. */
export type RotateInput = {
  /** How long the old token keeps working alongside the new one. @default 0 */
  readonly overlap?: Duration | undefined
  /** The owner of the successor, to hand an integration to someone else. The old token stays with its owner. @default the same owner */
  readonly ownerId?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/** A new token: `token` is shown here once and never again. */
export type Minted = { readonly token: string; readonly record: TokenRecord; readonly replayed?: undefined }

/**
 * Result of a retry with a known idempotency key: the current record of the token that the first call created. The token string is not stored
 * anywhere.
 */
export type Replayed = { readonly token?: undefined; readonly record: TokenRecord; readonly replayed: true }

/** One page of results, and the cursor of the next one. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }
