import * as z from 'zod'
import type { Code } from '../errors.js'
import { InvalidInputError, NotFoundError } from '../errors.js'
import type { ExplainStep, Explanation, RecordedRefusal } from '../model/explanation.js'
import type { Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'
import { instantSchema } from '../policy/field-schema.js'
import { readClock } from '../policy/instant.js'
import { normalizeIp } from '../policy/network.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readResources } from '../policy/resource.js'
import { isScopeName } from '../policy/scope.js'
import { readShape, readWith } from '../policy/shape.js'
import { firstEvents } from '../store/first-events.js'
import type { Context } from '../verify/context.js'
import { explainSteps } from '../verify/explain.js'
import type { ReadActor } from './lib/actor.js'
import { recordAsOf } from './lib/as-of.js'
import { checkId, seenBy } from './lib/change.js'
import { isOfOtherKey } from './lib/import-key.js'

const MAX_SCOPES = 100
/** The audit log groups the refusals of a minute and dates the group by its last refusal. */
const NEAR_MS = 120_000
const MAX_REFUSALS = 20
/** The maximum number of pages of events that are read for them, if the store stops at each. */
const MAX_PAGES = 4

type Given = {
  at?: number | undefined
  scope?: string | readonly string[] | undefined
  resources?: Resources | undefined
  ip?: string | undefined
}

const scopeName = z
  .string({ error: 'must be the name of a scope' })
  .refine(isScopeName, { error: 'must be the plain name of a scope, such as inventory:read' })

/** The fields of `explain`'s input. */
export const explainFields: { readonly [Name in keyof Given]-?: z.ZodType<Given[Name]> } = {
  at: instantSchema.meta({ description: 'The instant to explain, not in the future. Default: now.' }).optional(),
  scope: z
    .union(
      [
        scopeName,
        z
          .array(scopeName)
          .min(1, { error: 'must name a scope' })
          .max(MAX_SCOPES, { error: `must have at most ${MAX_SCOPES} scopes` }),
      ],
      {
        error: 'must be the plain name of a scope, such as inventory:read, or a list of them',
      },
    )
    .meta({ description: 'The scope or scopes that the route requires.' })
    .optional(),
  resources: readWith((input) => readResources([], asLists(input)), {
    type: 'object',
    additionalProperties: { type: 'array', items: { type: 'string' } },
  })
    .meta({ description: 'The data that the route names, by dimension. Requires scope.' })
    .optional(),
  ip: readWith(readIp, { type: 'string', examples: ['203.0.113.7'] })
    .meta({ description: 'The address that the request came from.' })
    .optional(),
}

const shape: z.ZodType<Given> = z.strictObject(explainFields)

// Like `requireScopes`, accepts a single value in place of a list.
function asLists(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
  return Object.fromEntries(Object.entries(input).map(([dimension, value]) => [dimension, typeof value === 'string' ? [value] : value]))
}

function readIp(input: unknown): string {
  const ip = normalizeIp(input)
  if (ip === undefined) throw new InvalidInputError([], 'must be an IP address, such as 203.0.113.7')
  return ip
}

/**
 * Explains why a token would be accepted or refused now or at an instant in the past. Lists each step of the decision in order, with the facts that decide it.
 * Assumes that the token's secret is correct. Reads the primary; counts and writes nothing.
 *
 * @throws NotFoundError `not_found`
 * @throws InvalidInputError `invalid_input`
 */
export async function explain(context: Context, actor: ReadActor, id: unknown, input: unknown): Promise<Explanation> {
  // If an option were lost by mistake, the caller would get an answer to a different question.
  refuseUndefined(input, Object.keys(explainFields), 'to explain without it')
  const given = readShape(shape, input === undefined ? {} : input, 'explain()')
  const now = readClock(context.settings.clock, 'nothing can be explained')
  if (given.at !== undefined && given.at > now)
    throw new InvalidInputError('at', 'is in the future: only the past and the present can be explained')
  if (given.resources !== undefined && given.scope === undefined)
    throw new InvalidInputError('resources', 'requires scope, because a route checks data only together with a scope')
  checkId('id', id)
  const stored = await seenBy(context, actor, id)
  if (stored === undefined) throw new NotFoundError(id)
  const at = given.at ?? now
  const past = given.at !== undefined
  const isImported = stored.importedFrom !== undefined
  const { record, known } = past ? await recordAsOf(context, stored, at) : { record: stored, known: true }
  // Read these first, because an owner callback or a limiter that hangs uses up the remaining time, and that must still be explained.
  const refusals = past ? { refusals: await refusalsNear(context, stored, at) } : {}
  const steps = await explainSteps(
    context,
    { record, at, past, known, isOfOtherKey: isImported && (await isOfOtherKey(context.store, context.settings.imports, stored)) },
    { ip: given.ip, scopes: given.scope === undefined ? undefined : [given.scope].flat(), resources: given.resources },
  )
  return {
    tokenId: stored.id,
    at: new Date(at),
    ...outcomeOf(steps),
    steps,
    ...refusals,
  }
}

/** One refusing step decides the outcome; a pass requires every step to be known. The code is known only if every step before the refusing step is known. */
function outcomeOf(steps: readonly ExplainStep[]): { readonly ok?: boolean; readonly code?: Code } {
  const refusing = steps.findIndex(({ ok }) => ok === false)
  if (refusing === -1) return steps.every(({ ok }) => ok === true) ? { ok: true } : {}
  const code = steps.slice(0, refusing).every(({ ok }) => ok === true) ? steps[refusing]?.code : undefined
  return { ok: false, ...(code !== undefined && { code }) }
}

async function refusalsNear(context: Context, { id, prefix }: StoredToken, at: number): Promise<readonly RecordedRefusal[]> {
  const query = {
    prefix,
    tokenId: id,
    actions: ['token.refused'],
    from: Math.max(0, at - NEAR_MS),
    to: at + NEAR_MS,
    limit: MAX_REFUSALS,
  } as const
  const events = await firstEvents(context.store, query, MAX_PAGES)
  return events.map((event) => ({
    at: new Date(event.at),
    ...(event.code !== undefined && { code: event.code as Code }),
    ...(event.count !== undefined && { count: event.count }),
    ...(event.ip !== undefined && { ip: event.ip }),
  }))
}
