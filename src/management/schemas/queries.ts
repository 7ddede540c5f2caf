import * as z from 'zod'
import type { EventsInput, ListInput } from '../../instance.js'
import { ACTIONS } from '../../model/event.js'
import type { TokenStatus } from '../../model/record.js'

const MAX_LIMIT = 1000
const STATUSES = ['pending', 'active', 'inactive', 'expired', 'revoked'] as const satisfies readonly TokenStatus[]

// A query string holds text only. What is not written exactly like a number is none: no signs, no exponents, no blanks.
const whole = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,14})$/, { error: 'must be a whole number' })
  .transform(Number)
const seconds = whole.pipe(z.int().min(1))
const flag = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .pipe(z.boolean())
const word = z.string().min(1).max(200)

const limit = whole.pipe(z.int().min(1).max(MAX_LIMIT)).meta({ description: 'Rows on a page, 50 when left out.' })
const cursor = z.string().min(1).max(1000).meta({ description: 'The `nextCursor` of the page before, with the same filters.' })
const tenantId = word.meta({ description: 'Of this tenant only.' })

// Given once or several times: status=active&status=expired.
const statuses = z
  .union([z.enum(STATUSES).transform((one) => [one]), z.array(z.enum(STATUSES))])
  .pipe(z.array(z.enum(STATUSES)).max(STATUSES.length))
  .meta({ description: 'In any of these states.' })
const actions = z
  .union([z.enum(ACTIONS).transform((one) => [one]), z.array(z.enum(ACTIONS))])
  .pipe(z.array(z.enum(ACTIONS)).max(ACTIONS.length))
  .meta({ description: 'Any of these.' })

/** The filters of `GET /`. */
export const listQuery: z.ZodType<ListInput> = z.strictObject({
  name: z.string().max(200).meta({ description: 'Part of the name, in either case.' }).optional(),
  status: statuses.optional(),
  tenantId: tenantId.optional(),
  ownerId: word.meta({ description: 'Of this owner only.' }).optional(),
  createdBy: word.meta({ description: 'Created by this actor only.' }).optional(),
  rotationDue: flag.meta({ description: 'Due for rotation.' }).optional(),
  neverUsed: flag.meta({ description: 'Never used at all.' }).optional(),
  unusedForSeconds: seconds.meta({ description: 'Not used for this long, or never.' }).optional(),
  neverExpires: flag.meta({ description: 'Without an expiry.' }).optional(),
  expiresWithinSeconds: seconds.meta({ description: 'Expiring within this time.' }).optional(),
  limit: limit.optional(),
  cursor: cursor.optional(),
})

/** The filters of `GET /events`. */
export const eventsQuery: z.ZodType<EventsInput> = z.strictObject({
  tokenId: word.meta({ description: 'About this token only; it may be gone.' }).optional(),
  tenantId: tenantId.optional(),
  action: actions.optional(),
  limit: limit.optional(),
  cursor: cursor.optional(),
})

/** The filters of `GET /:id/events`. */
export const tokenEventsQuery: z.ZodType<Pick<EventsInput, 'action' | 'limit' | 'cursor'>> = z.strictObject({
  action: actions.optional(),
  limit: limit.optional(),
  cursor: cursor.optional(),
})

/** The range of `GET /:id/usage`. */
export type UsageRange = { readonly from?: string | undefined; readonly to?: string | undefined }

const instant = z.string().min(1).max(64).meta({ format: 'date-time' })

const ids = z
  .union([word.transform((one) => [one]), z.array(word)])
  .pipe(z.array(z.string()).min(1).max(100))
  .meta({ description: 'The tokens: give it up to 100 times.' })

/** The tokens and the range of `GET /usage`. */
export type UsageOfQuery = UsageRange & { readonly id: readonly string[]; readonly from: string; readonly stepSeconds?: number | undefined }

/** What `GET /usage` takes. */
export const usageOfQuery: z.ZodType<UsageOfQuery> = z.strictObject({
  id: ids,
  from: instant.meta({ description: 'From here on; steps are counted from here.', format: 'date-time' }),
  to: instant.meta({ description: 'Up to here, exclusive. Now when left out.', format: 'date-time' }).optional(),
  stepSeconds: seconds.meta({ description: 'The length of a step, whole hours; 3600 when left out.' }).optional(),
})

/** What `GET /:id/usage` takes. */
export const usageQuery: z.ZodType<UsageRange> = z.strictObject({
  from: instant.meta({ description: 'From here on.', format: 'date-time' }).optional(),
  to: instant.meta({ description: 'Up to here, exclusive.', format: 'date-time' }).optional(),
})
