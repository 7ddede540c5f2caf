import type { Fields } from './fields.js'
import type { JsonObject, Resources } from './json.js'

/** The statuses of a token, in the order in which they are decided: the first that applies counts, `active` where none does. */
export const STATUSES = ['revoked', 'inactive', 'pending', 'expired', 'active'] as const

/** The status at an instant, derived: revoked, inactive, pending (`now < notBefore`), expired (`now >= expiresAt`), active. */
export type TokenStatus = (typeof STATUSES)[number]

/** The kind of change that ended a token. */
export type RevokedCode = 'manual' | 'bulk' | 'rotated' | 'pruned' | 'leaked' | 'reused' | 'owner_gone'

/** How far an actor reaches: its own tokens, all of a tenant's, or every tenant's. */
export type Reach = 'own' | 'tenant' | 'all'

/** An instant as callers may give it: a `Date`, milliseconds since the epoch, or an ISO 8601 string with a time zone. */
export type InstantInput = Date | number | string

/** A duration as callers may give it: a number of seconds, or text with a unit, such as `'30s'`, `'15m'`, `'12h'`, `'90d'` or `'2w'`. */
export type Duration = number | `${number}${'s' | 'm' | 'h' | 'd' | 'w'}`

/** An entry of a token's scopes: a scope of the catalogue, a wildcard, or a group. */
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

/** Fields whose values are words of a closed set. */
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

/** A token as a store keeps it: everything but the secret. */
export type StoredToken = Shown<Always<StoredKinds, { beside: true }> & Sometimes<StoredKinds, { beside: true }>>

/** A stored token with its last use, as `list` answers it. */
export type ListedToken = Shown<Always<StoredKinds, never> & Sometimes<StoredKinds, never>>

/** A token as everyone may see it: no secret, no digest. Instants are `Date`s, which JSON writes as ISO 8601 in UTC. */
export type TokenRecord = Shown<
  Always<RecordKinds, { secret: true }> & {
    /** For display: prefix, four characters of the id, an ellipsis. */
    readonly hint: string
    /** Derived from the instants at the moment of asking. */
    readonly status: TokenStatus
  } & Sometimes<RecordKinds, { secret: true }>
>

/** The name of a field in inputs. */
type InputName<K, F> = F extends { input: infer Name extends string } ? Name : K

type Settable<K extends keyof Fields, By> = Fields[K] extends { set: By } ? InputName<K, Fields[K]> : never
type Creatable = 'create' | 'create and update'
/** Given in place of each other, so that the types say it apart from the table. */
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

/** The permissions of a token: scopes of its own, or whatever its owner may do now. */
export type GrantsInput<S extends string = string> =
  | { readonly scopes: readonly GrantInput<S>[]; readonly inherit?: undefined }
  | { readonly inherit: true; readonly scopes?: undefined }

/** Input of `create`. */
export type CreateInput<S extends string = string> = Shown<
  MustCreate<S> &
    MayCreate<S> & {
      /** How long the token lives from now, instead of `expiresAt`. */
      readonly expiresIn?: Duration | undefined
      /** A retry under the same key makes no second token: it answers the first record, without the token string. */
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

/** Input of `update`. A field that is left out stays unchanged; `null` removes it. */
export type UpdateInput<S extends string = string> = Shown<
  MayUpdate<S> & {
    /** How long the token lives from now, instead of `expiresAt`. */
    readonly expiresIn?: Duration | undefined
  }
>

/** A new token: `token` is shown here once and never again. */
export type Minted = { readonly token: string; readonly record: TokenRecord; readonly replayed?: undefined }

/** Result of a retry under a known idempotency key: the current record of the first answer. The token string is not kept anywhere. */
export type Replayed = { readonly token?: undefined; readonly record: TokenRecord; readonly replayed: true }

/** One page, and where the next one starts. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }
