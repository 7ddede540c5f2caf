/**
 * The table of a token's fields. Each field is defined here once; input schemas, record types, the record view, the audit log, SQL columns
 * and the OpenAPI document are derived from it.
 *
 * This is plain data without imports. The modules that read, write, or show values define once how they handle each kind.
 * CONTRIBUTING shows how to add a field.
 */

/** The kind of value that a field contains. It decides how the field is read, stored, and shown. */
export type FieldKind =
  /** An ID of 16 base62 characters. */
  | 'id'
  /** A short word that the library defines. */
  | 'word'
  /** Text for people, or a name from the host. */
  | 'text'
  /** A whole number. */
  | 'count'
  /** An instant: stored as milliseconds since the epoch, shown as a `Date` in records. */
  | 'instant'
  /** Seconds; inputs may also be text with a unit. */
  | 'duration'
  /** Scopes, wildcards and groups. */
  | 'grants'
  /** Data that the token may access. */
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
  /** For readers of the API reference; identical to the row's docstring. */
  readonly description: string
  /** The schema version that introduced it. */
  readonly since: number
  /** Every record has it, and inputs that can set it require it. */
  readonly required?: true
  /** Which callers may set it: those of `create`, or of `create` and `update`. Absent: only the library sets it. */
  readonly set?: 'create' | 'create and update'
  /** A value that inputs must not use, because `erase` writes it. */
  readonly reserved?: string
  /** Its name in inputs, if different. */
  readonly input?: string
  /** The minimum and maximum, in characters of a string or seconds of a duration. */
  readonly min?: number
  readonly max?: number
  /** Its old and new values appear in the audit log. */
  readonly audited?: true
  /** Stays in the store. No record, response, or event contains it. */
  readonly secret?: true
  /** The first column of an index, so at most 255 characters, because some servers require a limit. */
  readonly indexed?: true
  /** Not a column of the token table, because last uses are stored separately. */
  readonly beside?: true
}

/** Every stored field of a token. Records add `hint` and `status`, which are derived from these. */
export const FIELDS = {
  /** Identifies the token: 16 base62 characters, random, public, never a secret. */
  id: { kind: 'id', since: 1, required: true, description: 'Identifies the token: 16 base62 characters, random, public, never a secret.' },
  /** 1 at first, then incremented with every change. */
  version: { kind: 'count', since: 1, required: true, description: '1 at first, then incremented with every change.' },
  /** The prefix of the token's text. */
  prefix: { kind: 'word', since: 1, required: true, description: "The prefix of the token's text." },
  /** SHA-256 or HMAC-SHA-256 of the token, 64 lowercase hexadecimal digits. */
  digest: {
    kind: 'word',
    since: 1,
    required: true,
    secret: true,
    description: 'SHA-256 or HMAC-SHA-256 of the token, 64 lowercase hexadecimal digits.',
  },
  /** Which pepper the digest depends on. Absent: none. */
  pepperId: { kind: 'word', since: 1, description: 'Which pepper the digest depends on. Absent: none.' },
  /** Human-readable name of the token. */
  name: {
    kind: 'text',
    since: 1,
    required: true,
    set: 'create and update',
    min: 1,
    max: 200,
    reserved: 'erased',
    audited: true,
    description: 'Human-readable name of the token.',
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
  /** The tenant that the token belongs to. Absent: valid in every tenant. */
  tenantId: {
    kind: 'text',
    since: 1,
    set: 'create',
    min: 1,
    max: 200,
    indexed: true,
    description: 'The tenant that the token belongs to. Absent: valid in every tenant.',
  },
  /** The owner whose permissions limit the token. */
  ownerId: {
    kind: 'text',
    since: 1,
    set: 'create',
    min: 1,
    max: 200,
    indexed: true,
    description: 'The owner whose permissions limit the token.',
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
  /** True: the token carries the current permissions of its owner instead of its own scopes. */
  inherit: {
    kind: 'flag',
    since: 1,
    set: 'create',
    audited: true,
    description: 'True: the token carries the current permissions of its owner instead of its own scopes.',
  },
  /** Data that the token may access, by dimension. An absent dimension is unrestricted; an empty list allows nothing. */
  resources: {
    kind: 'resources',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Data that the token may access, by dimension. An absent dimension is unrestricted; an empty list allows nothing.',
  },
  /** Addresses and CIDR ranges that the token works from. Absent: from anywhere. Empty: from nowhere. */
  allowedIps: {
    kind: 'networks',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Addresses and CIDR ranges that the token works from. Absent: from anywhere. Empty: from nowhere.',
  },
  /** Your own data as plain JSON, at most 16 KiB and 8 levels deep. */
  metadata: {
    kind: 'json',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'Your own data as plain JSON, at most 16 KiB and 8 levels deep.',
  },
  /** When the token was created. */
  createdAt: { kind: 'instant', since: 1, required: true, description: 'When the token was created.' },
  /** Who created it: the ID of the actor. */
  createdBy: { kind: 'text', since: 1, required: true, indexed: true, description: 'Who created it: the ID of the actor.' },
  /** When it last changed. */
  updatedAt: { kind: 'instant', since: 1, required: true, description: 'When it last changed.' },
  /** When the token becomes valid. Absent: immediately. */
  notBefore: {
    kind: 'instant',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'When the token becomes valid. Absent: immediately.',
  },
  /** When the token expires. Absent: never, unless the server sets a default or a limit. */
  expiresAt: {
    kind: 'instant',
    since: 1,
    set: 'create and update',
    audited: true,
    description: 'When the token expires. Absent: never, unless the server sets a default or a limit.',
  },
  /** When the token was deactivated. Absent once it is activated again. */
  deactivatedAt: {
    kind: 'instant',
    since: 1,
    audited: true,
    description: 'When the token was deactivated. Absent once it is activated again.',
  },
  /** Who deactivated it. */
  deactivatedBy: { kind: 'text', since: 1, audited: true, description: 'Who deactivated it.' },
  /** The reach of the actor who deactivated it: only an actor with the same or a greater reach can activate it again. */
  deactivatedReach: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'The reach of the actor who deactivated it: only an actor with the same or a greater reach can activate it again.',
  },
  /** When the token was revoked. Revocation is final. */
  revokedAt: { kind: 'instant', since: 1, audited: true, description: 'When the token was revoked. Revocation is final.' },
  /** Who revoked it. */
  revokedBy: { kind: 'text', since: 1, audited: true, description: 'Who revoked it.' },
  /** The kind of change that revoked it: `manual`, `bulk`, `rotated`, `pruned`, `leaked`, `reused` or `owner_gone`. */
  revokedCode: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'The kind of change that revoked it: `manual`, `bulk`, `rotated`, `pruned`, `leaked`, `reused` or `owner_gone`.',
  },
  /** The reason for the revocation, as given by the actor. */
  revokedReason: {
    kind: 'text',
    since: 1,
    audited: true,
    description: 'The reason for the revocation, as given by the actor.',
  },
  /** The bulk revocation that revoked it: the `bulkId` of its audit events. */
  bulkId: { kind: 'id', since: 1, description: 'The bulk revocation that revoked it: the `bulkId` of its audit events.' },
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
  /** The first token of this token's lineage (the chain of its rotations). That token has this field as well. Absent: it was never rotated. */
  rootId: {
    kind: 'id',
    since: 1,
    description:
      "The first token of this token's lineage (the chain of its rotations). That token has this field as well. Absent: it was never rotated.",
  },
  /** Fingerprint of the request that created the token with an idempotency key, or of its imported row. The token's ID is derived from that key or row. */
  requestHash: {
    kind: 'word',
    since: 1,
    secret: true,
    description:
      "Fingerprint of the request that created the token with an idempotency key, or of its imported row. The token's ID is derived from that key or row.",
  },
  /** The format that the token was imported in, and is still presented in. Absent: it was created here. */
  importedFrom: {
    kind: 'word',
    since: 1,
    audited: true,
    description: 'The format that the token was imported in, and is still presented in. Absent: it was created here.',
  },
  /** The slow hash that the token was imported with, until it is first used. */
  importedHash: {
    kind: 'text',
    since: 1,
    secret: true,
    description: 'The slow hash that the token was imported with, until it is first used.',
  },
  /** When it was last accepted. Absent: it was never accepted, or uses are not counted. */
  lastUsedAt: {
    kind: 'instant',
    since: 1,
    beside: true,
    description: 'When it was last accepted. Absent: it was never accepted, or uses are not counted.',
  },
  /** The address that it was last accepted from. */
  lastUsedIp: { kind: 'word', since: 1, beside: true, description: 'The address that it was last accepted from.' },
} as const

/** The table's own type, which every derived type maps over. */
export type Fields = typeof FIELDS

/** The name of a stored field. */
export type FieldName = keyof Fields

const TABLE: { readonly [Name in FieldName]: Field } = FIELDS

/** The rows of the table, in its order. */
export const FIELD_ROWS: readonly (readonly [FieldName, Field])[] = Object.entries(TABLE) as [FieldName, Field][]

/** Returns the names of the fields that match. */
export function fieldsWhere(matches: (field: Field) => boolean): readonly FieldName[] {
  return FIELD_ROWS.filter(([, field]) => matches(field)).map(([name]) => name)
}
