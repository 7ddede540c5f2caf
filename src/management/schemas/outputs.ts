import * as z from 'zod'
import { CODES } from '../../errors.js'
import { ACTIONS } from '../../model/event.js'
import { FIELD_ROWS, type FieldKind } from '../../model/fields.js'
import { STATUSES } from '../../model/record.js'

// These schemas describe the responses for the OpenAPI document. The tests validate every response against them.
const id = z.string().regex(/^[0-9A-Za-z]{16}$/)
const instant = z.string().meta({ format: 'date-time' })
const json = z.record(z.string(), z.any())
const count = z.int().min(0)

/** How each kind of field appears in JSON. */
const BY_KIND: { readonly [Kind in FieldKind]: z.ZodType } = {
  id,
  word: z.string(),
  text: z.string(),
  count: z.int().min(1),
  instant,
  duration: z.int().min(1),
  grants: z.array(z.string()),
  resources: z.record(z.string(), z.array(z.string())),
  networks: z.array(z.string()),
  json,
  flag: z.literal(true),
}

const shown = FIELD_ROWS.filter(([, field]) => field.secret === undefined).map(([name, { kind, required, description }]) => {
  const schema = BY_KIND[kind].meta({ description })
  return [name, required ? schema : schema.optional()] as const
})

/** A token without its secret. */
export const tokenRecord: z.ZodType = z
  .strictObject({
    ...Object.fromEntries(shown),
    hint: z.string().meta({ description: 'For display: prefix, four characters of the ID, an ellipsis.' }),
    status: z.enum(STATUSES),
  })
  .meta({ id: 'TokenRecord', description: 'A token without its secret.' })

/** The response to a creation or a rotation. */
export const minted: z.ZodType = z
  .strictObject({ token: z.string().meta({ description: 'The token. It is shown only once and never stored.' }), record: tokenRecord })
  .meta({ id: 'Minted' })

/** The response to a repeated creation or rotation. */
export const replayed: z.ZodType = z
  .strictObject({ record: tokenRecord, replayed: z.literal(true) })
  .meta({ id: 'Replayed', description: 'The token created by the first request with this key. Its secret cannot be shown again.' })

/** One page of tokens. */
export const tokenPage: z.ZodType = z
  .strictObject({ items: z.array(tokenRecord), nextCursor: z.string().optional() })
  .meta({ id: 'TokenPage', description: 'Newest first. The last page has no `nextCursor`.' })

/** One page of tenants or owners. */
export const namePage: z.ZodType = z
  .strictObject({
    items: z.array(z.strictObject({ id: z.string(), name: z.string().optional() })),
    nextCursor: z.string().optional(),
    named: z.literal(true).meta({ description: 'The host provides the list: there are no others.' }).optional(),
  })
  .meta({ id: 'NamePage', description: 'A page may be short or empty even if more follow. The last page has no `nextCursor`.' })

const upTo = z
  .strictObject({ count, more: z.literal(true).optional() })
  .meta({ description: 'If `more` is true, the actual number is higher than `count`.' })

/** How many tokens there are of each kind. */
export const tokenCounts: z.ZodType = z
  .strictObject({ total: upTo, active: upTo, expiring: upTo, rotationDue: upTo, unused: upTo.optional() })
  .meta({ id: 'TokenCounts', description: 'All, active, expiring within seven days, due for rotation, unused for 90 days.' })

/** An audit event of a token. */
export const auditEvent: z.ZodType = z
  .strictObject({
    id: z.string(),
    at: instant,
    action: z.enum(ACTIONS),
    actorId: z.string(),
    tokenId: id.optional(),
    tenantId: z.string().optional(),
    ownerId: z.string().optional(),
    ip: z.string().optional(),
    reason: z.string().optional(),
    code: z.string().optional(),
    count: count.optional(),
    bulkId: id.optional(),
    before: json.optional(),
    after: json.optional(),
    details: json.optional(),
    damaged: z.array(z.string()).meta({ description: 'Fields that cannot be read in the store.' }).optional(),
  })
  .meta({ id: 'AuditEvent' })

/** One page of the audit log. */
export const eventPage: z.ZodType = z
  .strictObject({ items: z.array(auditEvent), nextCursor: z.string().optional() })
  .meta({ id: 'EventPage', description: 'Without `nextCursor` there are no more events for now. With it, a page may be short or empty.' })

/** Usage of a token. */
export const usageReport: z.ZodType = z
  .strictObject({
    tokenId: id,
    total: count,
    refused: count,
    lastUsedAt: instant.optional(),
    lastUsedIp: z.string().optional(),
    buckets: z.array(z.strictObject({ at: instant, endpoint: z.string(), outcome: z.string(), count })),
    endpoints: z.array(z.strictObject({ endpoint: z.string(), count })),
    outcomes: z.array(z.strictObject({ outcome: z.string(), count })),
    scopes: z
      .array(z.strictObject({ scope: z.string(), count }))
      .meta({ description: 'The scopes that routes required in allowed uses, most often required first.' }),
    unusedScopes: z
      .array(z.string())
      .meta({ description: "The token's scopes that no allowed use required; omitted if that cannot be determined." })
      .optional(),
    addresses: z
      .array(z.strictObject({ ip: z.string(), count, lastAt: instant }))
      .meta({ description: 'Totals by address, most recent first. `from` and `to` do not limit them.' }),
  })
  .meta({ id: 'UsageReport', description: 'Counts by hour and endpoint, by outcome and by address.' })

/** How often several tokens were used. */
export const usageSummaries: z.ZodType = z
  .strictObject({
    items: z.array(
      z.strictObject({
        tokenId: id,
        total: count,
        refused: count,
        steps: z.array(z.strictObject({ at: instant, count, refused: count })),
      }),
    ),
  })
  .meta({ id: 'UsageSummaries', description: 'Allowed and refused uses per time step; steps without uses are omitted.' })

/** The actor behind the request. */
export const me: z.ZodType = z
  .strictObject({
    id: z.string(),
    tenants: z.union([z.literal('*'), z.array(z.string())]),
    manages: z.enum(['own', 'all']),
    resources: z.record(z.string(), z.array(z.string())).optional(),
    ip: z.string().meta({ description: 'The address that your request comes from.' }).optional(),
    prefix: z.string().meta({ description: 'The prefix of every token of this server.' }),
    grantable: z.array(z.string()).meta({ description: 'The scopes that you may grant to a token.' }),
    sentIn: z
      .strictObject({ header: z.string(), scheme: z.enum(['Bearer', 'Basic']).optional() })
      .meta({ description: 'How a token is sent: the header field, and its scheme if it has one.' }),
    importedShapes: z
      .array(z.string())
      .meta({ description: 'Regular expressions for the tokens from other systems that are accepted here.' })
      .optional(),
  })
  .meta({ id: 'Me' })

/** The number of tokens that a bulk revocation revoked. */
export const revokedCount: z.ZodType = z.strictObject({ count }).meta({ id: 'RevokedCount' })

/** Scopes and groups that can be granted. */
export const scopeList: z.ZodType = z
  .strictObject({
    items: z.array(z.strictObject({ name: z.string(), description: z.string() })),
    groups: z.array(
      z.strictObject({ name: z.string().meta({ description: 'As written among scopes: `@staff`.' }), scopes: z.array(z.string()) }),
    ),
    expiry: z
      .strictObject({ defaultSeconds: z.int().optional(), maxSeconds: z.int().optional(), required: z.boolean() })
      .meta({ description: 'The default and the longest lifetime of new tokens, and whether an expiry is required.' }),
    allowWildcard: z.boolean().meta({ description: 'Whether a token may have the bare `*`.' }),
    usage: z.boolean().meta({ description: 'Whether uses are counted. If not, a token without a last use may still have been used.' }),
    usageKeptSeconds: z
      .int()
      .meta({ description: 'How long usage counts are kept; omitted if they are kept forever. No count includes older uses.' })
      .optional(),
    inherit: z.boolean().meta({ description: "Whether a token may carry its owner's permissions instead of its own scopes." }),
  })
  .meta({ id: 'ScopeList', description: 'The scopes, the groups, and the server’s rules for new tokens.' })

/** The caller's own token. */
export const self: z.ZodType = z
  .strictObject({
    record: tokenRecord,
    effectiveScopes: z
      .array(z.string())
      .meta({ description: 'What the token may do now: groups and wildcards are expanded and limited to what its owner may do.' }),
  })
  .meta({ id: 'Self' })

/** A refusal. */
export const problem: z.ZodType = z
  .object({
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(CODES) as [string, ...string[]]),
    errors: z
      .array(z.strictObject({ in: z.enum(['body', 'query', 'path', 'header']), pointer: z.string(), detail: z.string() }))
      .meta({ description: 'The invalid fields, each with a JSON pointer as a URI fragment.' })
      .optional(),
    version: z.int().meta({ description: 'With 412: the current version of the token.' }).optional(),
    failed: z
      .enum(['store', 'callback'])
      .meta({ description: 'With `store_unavailable`, if it is known: the store, or a host callback.' })
      .optional(),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457).' })

/** The document itself. */
export const openapiDocument: z.ZodType = z.record(z.string(), z.any()).meta({ id: 'OpenApiDocument' })
