import * as z from 'zod'
import { InvalidInputError, NotFoundError } from '../errors.js'
import { MAX_USE_TEXT, OTHER_USES, type UsageCount, type UsageReport, type UsageRows } from '../model/usage.js'
import type { Catalogue } from '../policy/catalogue.js'
import { instantSchema } from '../policy/field-schema.js'
import { readShape } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import { findListed } from './get.js'
import { canSee, type ReadActor } from './lib/actor.js'

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 30
const LONGEST_DAYS = 366
/** Rows that one call reads, and answers at most: some 100 bytes each in JSON. Those that differ in scopes alone are answered as one. */
const MAX_COUNTERS = 10_000
/** Endpoints, and scopes, in the totals: those with the most uses. */
const MAX_TOTALS = 1000

type Given = { from?: number | undefined; to?: number | undefined }

/** Input schema of `usage`. */
export const usageShape: z.ZodType<Given> = z.strictObject({
  from: instantSchema.meta({ description: `From here on; ${DEFAULT_DAYS} days before the end when left out.` }).optional(),
  to: instantSchema.meta({ description: 'Up to here, exclusive; now when left out.' }).optional(),
})

/**
 * Reports a token's usage: counts by hour and endpoint, outcomes, addresses. Includes what this process has counted so far.
 *
 * Without a range, of the last 30 days. What would be too much for one answer is refused, with a range that is short enough to ask for.
 *
 * @throws NotFoundError `not_found`
 * @throws InvalidInputError `invalid_input`
 */
export async function usage(context: Context, actor: ReadActor, id: unknown, range: unknown): Promise<UsageReport> {
  const { from, to } = readRange(range, context.settings.clock())
  await context.usage?.flush()
  const stored = await findListed(context, id)
  if (stored === undefined || !canSee(actor, stored)) throw new NotFoundError(String(id))
  const rows = await context.store.usage({ tokenIds: [stored.id], from, ...(to !== undefined && { to }), limit: MAX_COUNTERS + 1 })
  if (rows.counts.length > MAX_COUNTERS) throw tooMany()
  const unusedScopes = context.usage === undefined ? undefined : unusedAmong(context.settings.catalogue, stored.scopes, rows.counts)
  return {
    ...report(stored.id, rows),
    ...(unusedScopes !== undefined && { unusedScopes }),
    ...(stored.lastUsedAt !== undefined && { lastUsedAt: new Date(stored.lastUsedAt) }),
    ...(stored.lastUsedIp !== undefined && { lastUsedIp: stored.lastUsedIp }),
  }
}

function readRange(range: unknown, now: number): { readonly from: number; readonly to: number | undefined } {
  const { from, to } = readShape(usageShape, range ?? {}, 'usage()')
  const end = to ?? now
  if (from === undefined) return { from: end - DEFAULT_DAYS * DAY_MS, to }
  if (to !== undefined && !(from < to)) throw new InvalidInputError('from', 'must lie before to')
  if (!(end - from <= LONGEST_DAYS * DAY_MS)) {
    throw new InvalidInputError('from', `must lie at most ${LONGEST_DAYS} days before the end of the range: ask for a shorter one`)
  }
  return { from, to }
}

function report(tokenId: string, rows: UsageRows): UsageReport {
  const allowed = rows.counts.filter((row) => row.outcome === 'allowed')
  const total = sum(allowed)
  return {
    tokenId,
    total,
    refused: sum(rows.counts) - total,
    buckets: withoutScopes(rows.counts),
    endpoints: totals(rows.counts, (row) => row.endpoint)
      .slice(0, MAX_TOTALS)
      .map(([endpoint, count]) => ({ endpoint, count })),
    outcomes: totals(rows.counts, (row) => row.outcome).map(([outcome, count]) => ({ outcome, count })),
    scopes: totals(allowed.flatMap(eachScope), (row) => row.scope)
      .slice(0, MAX_TOTALS)
      .map(([scope, count]) => ({ scope, count })),
    addresses: rows.addresses.map(({ ip, count, lastAt }) => ({ ip, count, lastAt: new Date(lastAt) })),
  }
}

/** A counter of a route that requires several scopes, once for each. */
function eachScope(row: UsageCount): readonly UsageCount[] {
  return row.scope
    .split(' ')
    .filter((scope) => scope !== '')
    .map((scope) => ({ ...row, scope }))
}

/** Which of the grants no allowed use required; `undefined` where a counter does not say what its uses required. */
function unusedAmong(catalogue: Catalogue, grants: readonly string[], rows: readonly UsageCount[]): readonly string[] | undefined {
  const allowed = rows.filter(({ outcome }) => outcome === 'allowed')
  if (allowed.some(hidesScopes)) return undefined
  const required = [...new Set(allowed.flatMap(eachScope).map(({ scope }) => scope))]
  return grants.filter((grant) => {
    const given = catalogue.resolve([grant])
    return !required.some((scope) => given.has(scope))
  })
}

// Under a flood of endpoints scopes are no longer kept apart, and a long list of them is cut.
function hidesScopes({ endpoint, scope }: UsageCount): boolean {
  return scope.length >= MAX_USE_TEXT || (endpoint === OTHER_USES && scope === '')
}

/** The counters, which are kept apart by scope too, by hour, endpoint and outcome alone, in their order. */
function withoutScopes(rows: readonly UsageCount[]): UsageReport['buckets'] {
  const merged = new Map<string, { at: Date; endpoint: string; outcome: string; count: number }>()
  for (const { bucketAt, endpoint, outcome, count } of rows) {
    const key = JSON.stringify([bucketAt, endpoint, outcome])
    const known = merged.get(key)
    if (known === undefined) merged.set(key, { at: new Date(bucketAt), endpoint, outcome, count })
    else known.count += count
  }
  return [...merged.values()]
}

function tooMany(): InvalidInputError {
  return new InvalidInputError('from', `makes more than ${MAX_COUNTERS.toLocaleString('en')} counts in this range: ask for a shorter one`)
}

function sum(rows: readonly UsageCount[]): number {
  return rows.reduce((total, row) => total + row.count, 0)
}

/** Sums by a key, the largest first. */
function totals(rows: readonly UsageCount[], keyOf: (row: UsageCount) => string): [string, number][] {
  const byKey = new Map<string, number>()
  for (const row of rows) byKey.set(keyOf(row), (byKey.get(keyOf(row)) ?? 0) + row.count)
  return [...byKey].sort((a, b) => b[1] - a[1])
}
