import type { Explanation as Explained, ExplainStep, RecordedRefusal } from '../../../model/explanation.js'
import type { TokenRecord } from '../../../model/record.js'

/** JSON represents instants as text. */
type OnWire<T> = T extends Date ? string : T
type Wired<T> = { readonly [Field in keyof T]: OnWire<T[Field]> }

/** A token, as the management API returns it. */
export type Token = Wired<TokenRecord>

export type Step = Wired<ExplainStep>

/** Why a token is accepted or refused. */
export type Explanation = Pick<Explained, 'ok' | 'code'> & {
  readonly at: string
  readonly steps: readonly Step[]
  readonly refusals?: readonly Wired<RecordedRefusal>[]
}

export type Resources = { readonly [dimension: string]: readonly string[] }

export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }

/** The response to a creation or a rotation. Without `token`, it repeats an earlier response. `earlier`: it belongs to an earlier version of the request. */
export type Minted = { readonly token?: string; readonly record: Token; readonly earlier?: true }

export type Me = {
  readonly id: string
  readonly tenants: '*' | readonly string[]
  readonly manages: 'own' | 'all'
  readonly resources?: Resources
  readonly ip?: string
  readonly prefix: string
  readonly grantable: readonly string[]
  /** The header field in which a token is sent, and its scheme, if any. */
  readonly sentIn: { readonly header: string; readonly scheme?: 'Bearer' | 'Basic' }
  /** Regular expressions of the tokens from other systems. */
  readonly importedShapes?: readonly string[]
}

export type Scopes = {
  readonly items: readonly { readonly name: string; readonly description: string }[]
  readonly groups: readonly { readonly name: string; readonly scopes: readonly string[] }[]
  readonly expiry: { readonly defaultSeconds?: number; readonly maxSeconds?: number; readonly required: boolean }
  readonly allowWildcard: boolean
  /** Whether uses are counted. */
  readonly usage: boolean
  /** How long usage counts are kept; absent: forever. */
  readonly usageKeptSeconds?: number
  /** Whether a token can have its owner's permissions instead of its own scopes. */
  readonly inherit: boolean
}

type Count = { readonly count: number; readonly more?: true }

/** Counts of tokens that need attention. */
export type Counts = { readonly [name in 'total' | 'expiring' | 'rotationDue']: Count } & { readonly unused?: Count }

export type Summary = {
  readonly tokenId: string
  readonly total: number
  readonly steps: readonly { readonly at: string; readonly count: number; readonly refused: number }[]
}

export type Usage = {
  readonly total: number
  readonly lastUsedAt?: string
  readonly lastUsedIp?: string
  readonly unusedScopes?: readonly string[]
  readonly buckets: readonly { readonly at: string; readonly endpoint: string; readonly outcome: string; readonly count: number }[]
  readonly addresses: readonly { readonly ip: string; readonly count: number; readonly lastAt: string }[]
}

export type AuditEvent = {
  readonly id: string
  readonly at: string
  readonly action: string
  readonly actorId: string
  readonly tokenId?: string
  readonly tenantId?: string
  readonly ip?: string
  readonly reason?: string
  readonly code?: string
  readonly count?: number
  readonly before?: { readonly [field: string]: unknown }
  readonly after?: { readonly [field: string]: unknown }
}

/** The current user, and what can be granted. */
export type World = {
  readonly me: Me
  readonly scopes: Scopes
  /** Whether this server counts uses. If not, "never used" means nothing. */
  readonly usageCounted: boolean
}
