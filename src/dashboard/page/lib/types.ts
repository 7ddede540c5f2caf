/** The answers of the management API, as any client gets them. */
export type Token = {
  readonly id: string
  readonly version: number
  readonly hint: string
  readonly name: string
  readonly description?: string
  readonly tenantId?: string
  readonly ownerId?: string
  readonly scopes: readonly string[]
  readonly resources?: Resources
  readonly allowedIps?: readonly string[]
  readonly metadata?: { readonly [key: string]: unknown }
  readonly status: 'pending' | 'active' | 'inactive' | 'expired' | 'revoked'
  readonly createdAt: string
  readonly createdBy: string
  readonly updatedAt: string
  readonly notBefore?: string
  readonly expiresAt?: string
  readonly deactivatedAt?: string
  readonly deactivatedBy?: string
  readonly revokedAt?: string
  readonly revokedBy?: string
  readonly revokedCode?: string
  readonly revokedReason?: string
  readonly rotateEverySeconds?: number
  readonly rotationDueAt?: string
  readonly replacesId?: string
  readonly replacedById?: string
  readonly lastUsedAt?: string
  readonly lastUsedIp?: string
}

export type Resources = { readonly [dimension: string]: readonly string[] }

export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string }

/** The answer to a creation or a rotation. Without `token` it is a repeated one. */
export type Minted = { readonly token?: string; readonly record: Token }

export type Me = {
  readonly id: string
  readonly tenants: '*' | readonly string[]
  readonly manages: 'own' | 'all'
  readonly resources?: Resources
  readonly ip?: string
  readonly prefix: string
  readonly grantable: readonly string[]
}

export type Scopes = {
  readonly items: readonly { readonly name: string; readonly description: string }[]
  readonly groups: readonly { readonly name: string; readonly scopes: readonly string[] }[]
  readonly limits: {
    readonly defaultTtlSeconds?: number
    readonly maxTtlSeconds?: number
    readonly requireExpiry: boolean
    readonly allowWildcard: boolean
  }
  /** False: uses are not counted. */
  readonly usage?: boolean
}

export type Summary = {
  readonly tokenId: string
  readonly total: number
  readonly steps: readonly { readonly at: string; readonly count: number; readonly refused: number }[]
}

export type Usage = {
  readonly buckets: readonly { readonly at: string; readonly endpoint: string; readonly outcome: string; readonly count: number }[]
  readonly addresses: readonly { readonly ip: string; readonly count: number; readonly lastAt: string }[]
}

export type AuditEvent = {
  readonly id: string
  readonly at: string
  readonly action: string
  readonly actorId: string
  readonly ip?: string
  readonly reason?: string
  readonly code?: string
  readonly count?: number
  readonly before?: { readonly [field: string]: unknown }
  readonly after?: { readonly [field: string]: unknown }
}

/** Who is asking, and what there is to grant. */
export type World = {
  readonly me: Me
  readonly scopes: Scopes
  /** Does this server count uses? Where it does not, "never used" says nothing. */
  readonly usageCounted: boolean
}
