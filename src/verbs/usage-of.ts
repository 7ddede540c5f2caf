import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import type { UsageCount, UsageSummary } from '../model/usage.js'
import { durationSchema, instantSchema } from '../policy/field-schema.js'
import { readClock } from '../policy/instant.js'
import { readShape } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { idsSchema, visibleAmong } from './lib/ids.js'
import { refuseLongRange, tooManyCounts } from './lib/usage-limits.js'
import { readSums } from './lib/usage-sums.js'
import { flushUsage } from './lib/waits.js'

const HOUR_SECONDS = 3600
const MAX_STEPS = 1000
/** Maximum number of steps for all tokens together. A step takes about 70 bytes of JSON. */
const MAX_STEPS_IN_ALL = 10_000
/** Maximum number of counters that one call reads for all tokens together. A store adds up about a million in a second. */
const MAX_READ = 500_000

type Given = { ids: readonly string[]; from: number; to?: number | undefined; step?: number | undefined }

/** The fields of `usageOf`'s input. */
export const usageOfFields: { readonly [Name in keyof Given]-?: z.ZodType<Given[Name]> } = {
  ids: idsSchema,
  from: instantSchema.meta({
    description: 'Start of the period, inclusive; steps are counted from here. At most 366 days before its end.',
  }),
  to: instantSchema.meta({ description: 'End of the period, exclusive. Default: now.' }).optional(),
  // Uses are counted per hour, so a shorter step would show gaps that do not exist.
  step: durationSchema({ min: HOUR_SECONDS })
    .refine((seconds) => seconds % HOUR_SECONDS === 0, { error: 'must be whole hours' })
    .meta({ description: 'Length of a step in whole hours. Default: one hour.' })
    .optional(),
}

const shape: z.ZodType<Given> = z.strictObject(usageOfFields)

/**
 * Returns how often several tokens were used, in equal time steps: enough for a sparkline beside each row of a list.
 *
 * Leaves out tokens that do not exist or that the actor cannot see. Also leaves out steps without a use. Refuses a range of more than 366 days, and one with
 * too many counters to add up.
 *
 * @throws InvalidInputError `invalid_input`
 */
export async function usageOf(context: Context, actor: ReadActor, input: unknown): Promise<{ readonly items: readonly UsageSummary[] }> {
  const { now, ids, from, to, stepMs } = readInput(context, input)
  const visible = await visibleAmong(context, actor, 'usageOf', ids, now)
  if (visible.length === 0) return { items: [] }
  await flushUsage(context)
  const counts = await readSums(context, { tokenIds: visible, from, to, stepMs }, MAX_READ)
  if (counts === undefined) throw tooManyCounts(MAX_READ, visible.length > 1 ? 'fewer tokens' : undefined)
  const byToken = new Map<string, UsageCount[]>(visible.map((id) => [id, []]))
  for (const count of counts) byToken.get(count.tokenId)?.push(count)
  return { items: [...byToken].map(([tokenId, own]) => summary(tokenId, own)) }
}

function readInput(context: Context, input: unknown): { now: number; ids: string[]; from: number; to: number; stepMs: number } {
  const now = readClock(context.settings.clock, 'the range cannot be determined')
  const { ids, from, to = now, step = HOUR_SECONDS } = readShape(shape, input, 'usageOf()')
  const stepMs = step * 1000
  if (!(from < to)) throw new InvalidInputError('from', 'must be before "to"')
  refuseLongRange(from, to)
  if (!((to - from) / stepMs <= MAX_STEPS)) throw new InvalidInputError('step', `results in more than ${MAX_STEPS} steps: use longer steps`)
  const distinct = [...new Set(ids)]
  if (!(distinct.length * Math.ceil((to - from) / stepMs) <= MAX_STEPS_IN_ALL)) {
    throw new InvalidInputError(
      'step',
      `results in more than ${MAX_STEPS_IN_ALL.toLocaleString('en')} steps for all tokens together: use longer steps, or fewer tokens`,
    )
  }
  return { now, ids: distinct, from, to, stepMs }
}

function summary(tokenId: string, counts: readonly UsageCount[]): UsageSummary {
  const steps = new Map<number, { count: number; refused: number }>()
  let total = 0
  let refused = 0
  for (const { bucketAt: at, outcome, count } of counts) {
    const step = steps.get(at) ?? { count: 0, refused: 0 }
    steps.set(at, step)
    if (outcome === 'allowed') {
      step.count += count
      total += count
    } else {
      step.refused += count
      refused += count
    }
  }
  const ascending = [...steps].sort(([a], [b]) => a - b)
  return { tokenId, total, refused, steps: ascending.map(([at, step]) => ({ at: new Date(at), ...step })) }
}
