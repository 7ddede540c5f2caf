/**
 * The table of a token's fields. What a field is stands here once; input schemas, record types, the record view, the audit, SQL columns
 * and the OpenAPI document are derived from it.
 *
 * Plain data that imports nothing: how a kind of value is read, written and shown is said once for each kind, where that happens.
 * CONTRIBUTING shows how to add a field.
 */

/** The kind of value that a field holds. It decides how the field is read, stored, and shown. */
export type FieldKind =
  /** An id of 16 base62 characters. */
  | 'id'
  /** A short word of the library's own making. */
  | 'word'
  /** Text for people, or a name that the host gave. */
  | 'text'
  /** A whole number. */
  | 'count'
  /** An instant: milliseconds since the epoch where it is stored, a `Date` in records. */
  | 'instant'
  /** Seconds; its input may also be text with a unit. */
  | 'duration'
  /** Scopes, wildcards and groups. */
  | 'grants'
  /** Data that the token may reach. */
  | 'resources'
  /** Addresses and CIDR ranges. */
  | 'networks'
  /** A plain JSON object. */
  | 'json'
  /** True, or absent. */
  | 'flag'

/** One row of the table. */
export type Field = {
  readonly kind: FieldKind
  /** For people who read the API's description; the same as the row's docstring. */
  readonly description: string
  /** The schema version that introduced it. */
  readonly since: number
  /** Every record has it; an input that sets it must give it. */
  readonly required?: true
  /** Who may set it: callers of `create`, or of `create` and `update`. Left out: the library alone. */
  readonly set?: 'create' | 'create and update'
  /** Its name in inputs, where that differs. */
  readonly input?: string
  /** Characters of a text, or seconds of a duration: at least and at most. */
  readonly min?: number
  readonly max?: number
  /** Shown in the audit, as it was and as it is. */
  readonly audited?: true
  /** Kept in the store only: no record, answer or event shows it. */
  readonly secret?: true
  /** A column that an index begins with, which some servers want bounded: at most 512 characters. */
  readonly indexed?: true
  /** Not a column of tokens: the last use is counted beside them. */
  readonly beside?: true
}

/** Every field of a token that is stored. Records add `hint` and `status`, which follow from these. */
export const FIELDS = {
  /** Names the token: 16 base62 characters, random, public, never a secret. */
  id: { kind: 'id', since: 1, required: true, description: 'Names the token: 16 base62 characters, random, public, never a secret.' },
  /** 1 at first, then one more with every change. */
  version: { kind: 'count', since: 1, required: true, description: '1 at first, then one more with every change.' },
  /** Prefix of the token's text. */
  prefix: { kind: 'word', since: 1, required: true, description: "Prefix of the token's text." },
  /** SHA-256 or HMAC-SHA-256 of the token, 64 lower-case hexadecimal digits. */
  digest: {
    kind: 'word',
    since: 1,
    required: true,
    secret: true,
    description: 'SHA-256 or HMAC-SHA-256 of the token, 64 lower-case hexadecimal digits.',
  },
  /** Which pepper the digest depends on. Absent: none. */
  pepperId: { kind: 'word', since: 1, description: 'Which pepper the digest depends on. Absent: none.' },
  /** Name of the token for people. */
  name: {
    kind: 'text',
    since: 1,
    required: true,
    set: 'create and update',
    min: 1,
    max: 200,
    audited: true,
    description: 'Name of the token for people.',
  },
  /** Purpose of the token. */
  description: {
    kind: 'text',
    since: 1,
    set: 'create and update',
    min: 0,
    max: 1000,
    audited: true,
    description: 'Purpose of the token.',
  },
  /** The tenant that the token belongs to. Absent: good for every tenant. */
  tenantId: {
    kind: 'text',
    since: 1,
    set: 'create',
    min: 1,
    max: 200,
    indexed: true,
    description: 'The tenant that the token belongs to. Absent: good for every tenant.',
  },
  /** Whose permissions limit the token. */
  ownerId: {
    kind: 'text',
    since: 1,
    set: 'create',
    min: 1,
    max: 200,
    indexed: true,
    description: 'Whose permissions limit the token.',
  },
  /** Scopes of the catalogue, wildcards such as `inventory:*`, groups such as `@staff`. Empty: nothing. */
  scopes: {
    kind: 'grants',
    since: 1,
    required: true,
    set: 'create and update',
    audited: true,
    description: 'Scopes of the catalogue, wildcards such as `inventory:*`, groups such as `@staff`. Empty: nothing.',
  },
  /** True: the token carries whatever its owner may do now, in place of scopes of its own. */
  inherit: {
    kind: 'flag',
    since: 1,
    set: 'create',
    audited: true,
    description: 'True: the token carries whatever its owner may do now, in place of scopes of its own.',
  },
  /** Data that the token may reach, by dimension. An absent dimension is unrestricted; an empty list allows nothing. */
  resources: {
    kind: 'resources',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Data that the token may reach, by dimension. An absent dimension is unrestricted; an empty list allows nothing.',
  },
  /** Addresses and CIDR ranges that the token works from. Absent: from anywhere. Empty: from nowhere. */
  allowedIps: {
    kind: 'networks',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Addresses and CIDR ranges that the token works from. Absent: from anywhere. Empty: from nowhere.',
  },
  /** Plain JSON of the host, at most 16 KiB and 8 levels deep. */
  metadata: {
    kind: 'json',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Plain JSON of the host, at most 16 KiB and 8 levels deep.',
  },
  /** When the token was created. */
  createdAt: { kind: 'instant', since: 1, required: true, description: 'When the token was created.' },
  /** Who created it: the id of the actor. */
  createdBy: { kind: 'text', since: 1, required: true, indexed: true, description: 'Who created it: the id of the actor.' },
  /** When it last changed. */
  updatedAt: { kind: 'instant', since: 1, required: true, description: 'When it last changed.' },
  /** When the token begins to work. Absent: at once. */
  notBefore: {
    kind: 'instant',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'When the token begins to work. Absent: at once.',
  },
  /** When the token ends. Absent: never, unless the server sets a default or a limit. */
  expiresAt: {
    kind: 'instant',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'When the token ends. Absent: never, unless the server sets a default or a limit.',
  },
  /** When the token was deactivated, until it is activated again. */
  deactivatedAt: { kind: 'instant', since: 1, audited: true, description: 'When the token was deactivated, until it is activated again.' },
  /** Who deactivated it. */
  deactivatedBy: { kind: 'text', since: 1, audited: true, description: 'Who deactivated it.' },
  /** How far whoever deactivated it reaches: only an equal or greater reach activates it again. */
  deactivatedReach: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'How far whoever deactivated it reaches: only an equal or greater reach activates it again.',
  },
  /** When the token was revoked. Revocation is final. */
  revokedAt: { kind: 'instant', since: 1, audited: true, description: 'When the token was revoked. Revocation is final.' },
  /** Who revoked it. */
  revokedBy: { kind: 'text', since: 1, audited: true, description: 'Who revoked it.' },
  /** The kind of change that ended it: `manual`, `bulk`, `rotated`, `pruned`, `leaked`, `reused` or `owner_gone`. */
  revokedCode: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'The kind of change that ended it: `manual`, `bulk`, `rotated`, `pruned`, `leaked`, `reused` or `owner_gone`.',
  },
  /** Why it was revoked, in the words of whoever did it. */
  revokedReason: {
    kind: 'text',
    since: 1,
    audited: true,
    description: 'Why it was revoked, in the words of whoever did it.',
  },
  /** The bulk revocation that ended it: the `bulkId` of its audit events. */
  bulkId: { kind: 'id', since: 1, description: 'The bulk revocation that ended it: the `bulkId` of its audit events.' },
  /** How often the token is due for rotation, in seconds. */
  rotateEverySeconds: {
    kind: 'duration',
    since: 1,
    set: 'create and update',
    input: 'rotateEvery',
    min: 3600,
    max: 3_155_760_000,
    audited: true,
    description: 'How often the token is due for rotation, in seconds.',
  },
  /** When the next rotation is due. */
  rotationDueAt: { kind: 'instant', since: 1, audited: true, description: 'When the next rotation is due.' },
  /** The token that this one replaces. */
  replacesId: { kind: 'id', since: 1, audited: true, description: 'The token that this one replaces.' },
  /** The token that replaces this one. */
  replacedById: { kind: 'id', since: 1, audited: true, description: 'The token that replaces this one.' },
  /** The first token of the line of rotations that this one belongs to, also on that first token itself. Absent: it was never rotated. */
  rootId: {
    kind: 'id',
    since: 1,
    description:
      'The first token of the line of rotations that this one belongs to, also on that first token itself. Absent: it was never rotated.',
  },
  /** Fingerprint of the request that made the token under an idempotency key, or of the row that it was imported from. Its id is derived from the same. */
  requestHash: {
    kind: 'word',
    since: 1,
    secret: true,
    description:
      'Fingerprint of the request that made the token under an idempotency key, or of the row that it was imported from. Its id is derived from the same.',
  },
  /** The format that the token was imported in, and is still presented in. Absent: it was made here. */
  importedFrom: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'The format that the token was imported in, and is still presented in. Absent: it was made here.',
  },
  /** The slow hash that the token was imported with, until its first use. */
  importedHash: {
    kind: 'text',
    since: 1,
    secret: true,
    description: 'The slow hash that the token was imported with, until its first use.',
  },
  /** When it was last let in. Absent: never, or uses are not counted. */
  lastUsedAt: { kind: 'instant', since: 1, beside: true, description: 'When it was last let in. Absent: never, or uses are not counted.' },
  /** The address that it was last let in from. */
  lastUsedIp: { kind: 'word', since: 1, beside: true, description: 'The address that it was last let in from.' },
} as const

/** The table's own type, which every derived type maps over. */
export type Fields = typeof FIELDS

/** The name of a stored field. */
export type FieldName = keyof Fields

const TABLE: { readonly [Name in FieldName]: Field } = FIELDS

/** The rows of the table, in its order. */
export const FIELD_ROWS: readonly (readonly [FieldName, Field])[] = Object.entries(TABLE) as [FieldName, Field][]

/** The names of the fields that match. */
export function fieldsWhere(matches: (field: Field) => boolean): readonly FieldName[] {
  return FIELD_ROWS.filter(([, field]) => matches(field)).map(([name]) => name)
}
