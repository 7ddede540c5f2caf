import * as z from 'zod'
import type { Json, JsonObject, Resources } from '../../model/json.js'

const MAX_SCOPES = 100

const line = (max: number): z.ZodString => z.string().min(1).max(max)
// What an instant or a duration may be is the core's to say, so that there is one rule. Here it only has the right type.
const instant = z
  .string()
  .max(64)
  .meta({ format: 'date-time', examples: ['2030-01-31T12:00:00Z'] })
const seconds = z.int()
const json: z.ZodType<Json> = z.any().meta({ description: 'Any JSON value.' })

const fields = {
  name: line(200).meta({ description: 'What people call the token.' }),
  description: z.string().max(1000),
  scopes: z
    .array(line(200))
    .max(MAX_SCOPES)
    .meta({ description: 'Scopes of the catalogue, wildcards such as `inventory:*`, groups such as `@staff`. Empty: nothing.' }),
  resources: z
    .record(line(200), z.array(z.string()))
    .meta({ description: 'What data the token may touch, by dimension. An absent dimension is unrestricted, an empty list is nothing.' }),
  expiresAt: instant.meta({ description: 'When the token ends. Absent: never, unless the server sets a default or a limit.' }),
  notBefore: instant.meta({ description: 'When the token begins.' }),
  allowedIps: z.array(z.string()).meta({ description: 'Addresses and CIDR ranges. Absent: from anywhere. Empty: from nowhere.' }),
  rotateEverySeconds: seconds.meta({ description: 'How often the token is due for rotation.' }),
  metadata: z.record(z.string(), json).meta({ description: 'Plain JSON of the caller, at most 16 KiB and 8 levels deep.' }),
}

/** The body of `POST /`. */
export type CreateBody = {
  readonly name: string
  readonly description?: string | undefined
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly scopes: readonly string[]
  readonly resources?: Resources | undefined
  readonly expiresAt?: string | undefined
  readonly ttlSeconds?: number | undefined
  readonly notBefore?: string | undefined
  readonly allowedIps?: readonly string[] | undefined
  readonly rotateEverySeconds?: number | undefined
  readonly metadata?: JsonObject | undefined
}

/** What `POST /` takes. */
export const createBody: z.ZodType<CreateBody> = z
  .strictObject({
    name: fields.name,
    description: fields.description.optional(),
    tenantId: line(200).meta({ description: 'Whose token it is. Absent: good for every tenant.' }).optional(),
    ownerId: line(200).meta({ description: 'Whose permissions limit the token.' }).optional(),
    scopes: fields.scopes,
    resources: fields.resources.optional(),
    expiresAt: fields.expiresAt.optional(),
    ttlSeconds: seconds.meta({ description: 'How long the token lives, in place of `expiresAt`.' }).optional(),
    notBefore: fields.notBefore.optional(),
    allowedIps: fields.allowedIps.optional(),
    rotateEverySeconds: fields.rotateEverySeconds.optional(),
    metadata: fields.metadata.optional(),
  })
  .meta({ id: 'CreateToken', description: 'A new token.' })

/** The body of `PATCH /:id`. */
export type UpdateBody = {
  readonly name?: string | undefined
  readonly description?: string | null | undefined
  readonly scopes?: readonly string[] | undefined
  readonly resources?: Resources | null | undefined
  readonly expiresAt?: string | null | undefined
  readonly notBefore?: string | null | undefined
  readonly allowedIps?: readonly string[] | null | undefined
  readonly rotateEverySeconds?: number | null | undefined
  readonly metadata?: JsonObject | null | undefined
}

/** What `PATCH /:id` takes. */
export const updateBody: z.ZodType<UpdateBody> = z
  .strictObject({
    name: fields.name.optional(),
    description: fields.description.nullable().optional(),
    scopes: fields.scopes.optional(),
    resources: fields.resources.nullable().optional(),
    expiresAt: fields.expiresAt.nullable().optional(),
    notBefore: fields.notBefore.nullable().optional(),
    allowedIps: fields.allowedIps.nullable().optional(),
    rotateEverySeconds: fields.rotateEverySeconds.nullable().optional(),
    metadata: fields.metadata.nullable().optional(),
  })
  .meta({ id: 'UpdateToken', description: 'What changes. Left out: unchanged. `null`: removed.' })

/** The body of `POST /:id/rotate`. */
export type RotateBody = { readonly overlapSeconds?: number | undefined }

/** What `POST /:id/rotate` and `POST /self/rotate` take. */
export const rotateBody: z.ZodType<RotateBody> = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .meta({ description: 'How long the old token goes on beside the new one. 0, the default, ends it at once.' })
      .optional(),
  })
  .meta({ id: 'RotateToken' })

const reason = line(500).meta({ description: 'Kept with the token and in the audit.' })
const waitForNodes = z.boolean().meta({ description: 'Answer only when every live node has followed the change.' })

/** The body of `POST /:id/revoke`. */
export type RevokeBody = { readonly reason?: string | undefined; readonly waitForNodes?: boolean | undefined }

/** What `POST /:id/revoke` takes. */
export const revokeBody: z.ZodType<RevokeBody> = z
  .strictObject({ reason: reason.optional(), waitForNodes: waitForNodes.optional() })
  .meta({ id: 'RevokeToken' })

/** The body of `POST /revoke-all`. */
export type RevokeAllBody = RevokeBody & {
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly all?: true | undefined
}

/** What `POST /revoke-all` takes. */
export const revokeAllBody: z.ZodType<RevokeAllBody> = z
  .strictObject({
    tenantId: line(200).optional(),
    ownerId: line(200).optional(),
    all: z.literal(true).meta({ description: 'Every token that you may see. Not together with the others.' }).optional(),
    reason: reason.optional(),
    waitForNodes: waitForNodes.optional(),
  })
  .refine((body) => body.tenantId !== undefined || body.ownerId !== undefined || body.all === true, {
    error: 'say which tokens: tenantId, ownerId, or all: true',
  })
  .meta({ id: 'RevokeAll', description: 'Which tokens: of a tenant, of an owner, of both at once, or all that you may see.' })

/** The body of the lifecycle routes that take none. */
export const emptyBody: z.ZodType<{ readonly [field: string]: never }> = z.strictObject({}).meta({ id: 'Nothing' })
