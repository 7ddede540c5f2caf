import * as z from 'zod'
import { CODES } from '../../errors.js'
import { EXPLAIN_STEPS, EXPLAIN_UNKNOWNS } from '../../model/explanation.js'

const id = z.string().regex(/^[0-9A-Za-z]{16}$/)
const instant = z.string().meta({ format: 'date-time' })
const code = z.enum(Object.keys(CODES) as [string, ...string[]])
const texts = z.array(z.string())

const scope = z.strictObject({
  scope: z.string(),
  exists: z.boolean().meta({ description: 'Whether it is in the catalogue.' }),
  held: z.boolean().meta({ description: 'Whether the token has the scope. Omitted if unknown.' }).optional(),
  grants: texts.meta({ description: "The token's grants that include this scope." }),
  owner: z.boolean().meta({ description: 'Whether the owner has it now.' }).optional(),
  givenBy: texts.meta({ description: "If none of the token's grants includes it: grants that would." }).optional(),
})

const resource = z.strictObject({
  dimension: z.string(),
  asked: texts,
  missing: texts.meta({ description: 'The values that the token has no access to. Omitted if unknown.' }).optional(),
})

const rate = z.strictObject({
  name: z.string(),
  limit: z.int().min(0),
  remaining: z.int().min(0),
  resetSeconds: z.int().min(0).optional(),
  windowSeconds: z.int().min(1).optional(),
})

const step = z.strictObject({
  step: z.enum(EXPLAIN_STEPS),
  ok: z.boolean().meta({ description: 'Whether the step lets the token pass. Omitted if unknown.' }).optional(),
  code: code.meta({ description: 'The code of the refusal when this step fails.' }).optional(),
  unknown: z.enum(EXPLAIN_UNKNOWNS).meta({ description: 'Why the outcome is unknown.' }).optional(),
  assumes: z.literal('present_options').meta({ description: 'Decided with the current options.' }).optional(),
  createdAt: instant.optional(),
  importedFrom: z.string().meta({ description: 'The format that the token was imported in.' }).optional(),
  revokedAt: instant.optional(),
  revokedBy: z.string().optional(),
  revokedCode: z.string().optional(),
  revokedReason: z.string().optional(),
  replacedById: id.optional(),
  deactivatedAt: instant.optional(),
  deactivatedBy: z.string().optional(),
  notBefore: instant.optional(),
  expiresAt: instant.optional(),
  ip: z.string().optional(),
  allowedIps: texts.optional(),
  allowedBy: z.string().optional(),
  ownerId: z.string().optional(),
  limits: texts.meta({ description: "The rate limits that count the token's uses." }).optional(),
  rates: z.array(rate).meta({ description: 'Their current state.' }).optional(),
  scopes: z.array(scope).optional(),
  resources: z.array(resource).optional(),
})

const refusal = z.strictObject({ at: instant, code: code.optional(), count: z.int().min(0).optional(), ip: z.string().optional() })

/** Why a token is accepted or refused. */
export const explanation: z.ZodType = z
  .strictObject({
    tokenId: id,
    at: instant,
    ok: z.boolean().meta({ description: 'Whether a request would be allowed. Omitted if unknown.' }).optional(),
    code: code.meta({ description: 'How it would be refused.' }).optional(),
    steps: z.array(step),
    refusals: z.array(refusal).meta({ description: 'Refusals recorded in the audit log within two minutes of `at`.' }).optional(),
  })
  .meta({ id: 'Explanation', description: 'The steps of the decision in order, with the facts behind each.' })
