import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import type { UsageCount, UsageSummary } from '../model/usage.js'
import { readInstant } from '../policy/instant.js'
import { readShape } from '../policy/shape.js'
import { isTokenId } from '../token/parse.js'
import type { Context } from '../verify/context.js'
import { canSee, readReader } from './lib/actor.js'

const MAX_IDS = 100
const HOUR_SECONDS = 3600
const MAX_STEPS = 1000

type Given = { ids: readonly string[]; from: unknown; to?: unknown; stepSeconds?: number | undefined }

const shape: z.ZodType<Given> = z.strictObject({
  ids: z
    .array(z.string({ error: 'must be the id of a token' }).refine(isTokenId, { error: 'must be the id of a token' }), {
      error: 'must be a list of ids',
    })
    .min(1, { error: 'must name a token' })
    .max(MAX_IDS, { error: `must be at most ${MAX_IDS} ids` }),
  from: z.unknown(),
  to: z.unknown().optional(),
  // Uses are kept by the hour, so a finer step would show gaps that are none.
  stepSeconds: z
    .number({ error: 'must be a number of seconds' })
    .min(HOUR_SECONDS, { error: 'must be at least an hour, 3600' })
    .multipleOf(HOUR_SECONDS, { error: 'must be whole hours' })
    .optional(),
})

/**
 * How much several tokens were used, in even steps of time: enough for a small picture beside each row of a list.
 *
 * Tokens that the actor may not see are left out, as those that do not exist. Steps without a use are left out too.
 *
 * @throws InvalidInputError `invalid_input`
 */
export async function usageOf(context: Context, input: unknown, by: unknown): Promise<{ readonly items: readonly UsageSummary[] }> {
  const actor = readReader(by)
  const { now, ids, from, to, stepMs } = readInput(context, input)
  await context.usage?.flush()
  const { prefix } = context.settings
  const rows = await context.store.list({ prefix, ids, now, limit: ids.length })
  const visible = rows.filter((row) => canSee(actor, row)).map(({ id }) => id)
  if (visible.length === 0) return { items: [] }
  const { counts } = await context.store.usage({ tokenIds: visible, from, to })
  const byToken = new Map<string, UsageCount[]>(visible.map((id) => [id, []]))
  for (const count of counts) byToken.get(count.tokenId)?.push(count)
  return { items: [...byToken].map(([tokenId, own]) => summary(tokenId, own, from, stepMs)) }
}

function readInput(context: Context, input: unknown): { now: number; ids: string[]; from: number; to: number; stepMs: number } {
  const given = readShape(shape, input, 'usageOf()')
  const now = context.settings.clock()
  const from = readInstant('from', given.from)
  const to = given.to == null ? now : readInstant('to', given.to)
  const stepMs = (given.stepSeconds ?? HOUR_SECONDS) * 1000
  if (!(from < to)) throw new InvalidInputError('from', 'must lie before to')
  if (!((to - from) / stepMs <= MAX_STEPS))
    throw new InvalidInputError('stepSeconds', `makes more than ${MAX_STEPS} steps: take longer ones`)
  return { now, ids: [...new Set(given.ids)], from, to, stepMs }
}

function summary(tokenId: string, counts: readonly UsageCount[], from: number, stepMs: number): UsageSummary {
  const steps = new Map<number, { count: number; refused: number }>()
  let total = 0
  let refused = 0
  for (const { bucketAt, outcome, count } of counts) {
    const at = from + Math.floor((bucketAt - from) / stepMs) * stepMs
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
