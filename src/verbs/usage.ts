import * as z from 'zod'
import { InvalidInputError, NotFoundError } from '../errors.js'
import { MAX_USE_TEXT, OTHER_USES, type UsageCount, type UsageReport, type UsageRows } from '../model/usage.js'
import type { Catalogue } from '../policy/catalogue.js'
import { durationSchema, instantSchema } from '../policy/field-schema.js'
import { readShape } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import { findListed } from './get.js'
import { canSee, type ReadActor } from './lib/actor.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DEFAULT_DAYS = 30
const LONGEST_DAYS = 366
/** Rows that one call reads, and answers at most: some 100 bytes each in JSON. Those that differ in scopes alone are answered as one. */
const MAX_COUNTERS = 10_000
/** Rows that one call reads in all where they are added up in longer steps. */
const MAX_READ = 200_000
/** Endpoints, and scopes, in the totals: those with the most uses. */
const MAX_TOTALS = 1000

type Given = { from?: number | undefined; to?: number | undefined; step?: number | undefined }

/** Input schema of `usage`. */
export const usageShape: z.ZodType<Given> = z.strictObject({
  from: instantSchema.meta({ description: `Start of the period, inclusive. Default: ${DEFAULT_DAYS} days before its end.` }).optional(),
  to: instantSchema.meta({ description: 'End of the period, exclusive. Default: now.' }).optional(),
  step: durationSchema({ min: 3600 })
    .refine((seconds) => seconds % 3600 === 0, { error: 'must be whole hours' })
    .meta({ description: 'Length of a bucket in whole hours, counted from `from`. Default: one hour. Busy tokens need longer buckets.' })
    .optional(),
})

/**
 * Reports a token's usage: counts by hour and endpoint, outcomes, addresses. Includes what this process has counted so far.
 *
 * Without a range, of the last 30 days. What would be too much for one answer is refused: a shorter range is short enough, and so are longer steps.
 *
 * @throws NotFoundError `not_found`
 * @throws InvalidInputError `invalid_input`
 */
export async function usage(context: Context, actor: ReadActor, id: unknown, range: unknown): Promise<UsageReport> {
  const { from, to, end, stepMs } = readRange(range, context.settings.clock())
  await context.usage?.flush()
  const stored = await findListed(context, id)
  if (stored === undefined || !canSee(actor, stored)) throw new NotFoundError(String(id))
  const rows = await (stepMs === HOUR_MS ? readOnce : readInSteps)(context, { tokenId: stored.id, from, to, end, stepMs })
  if (rows === undefined) throw tooMany(stepMs)
  const unusedScopes = context.usage === undefined ? undefined : unusedAmong(context.settings.catalogue, stored.scopes, rows.counts)
  return {
    ...report(stored.id, rows),
    ...(unusedScopes !== undefined && { unusedScopes }),
    ...(stored.lastUsedAt !== undefined && { lastUsedAt: new Date(stored.lastUsedAt) }),
    ...(stored.lastUsedIp !== undefined && { lastUsedIp: stored.lastUsedIp }),
  }
}

const hourOf = (at: number): number => Math.floor(at / HOUR_MS) * HOUR_MS

type Range = { readonly from: number; readonly to: number | undefined; readonly end: number; readonly stepMs: number }

function readRange(range: unknown, now: number): Range {
  const { from, to, step = 3600 } = readShape(usageShape, range === undefined ? {} : range, 'usage()')
  const end = to ?? now
  const stepMs = step * 1000
  // Steps are counted from where the range begins: from a whole hour, where nobody said.
  if (from === undefined)
    return { from: stepMs === HOUR_MS ? end - DEFAULT_DAYS * DAY_MS : hourOf(end - DEFAULT_DAYS * DAY_MS), to, end, stepMs }
  if (to !== undefined && !(from < to)) throw new InvalidInputError('from', 'must lie before to')
  if (!(end - from <= LONGEST_DAYS * DAY_MS)) {
    throw new InvalidInputError('from', `must be at most ${LONGEST_DAYS} days before the end of the range: request a shorter one`)
  }
  return { from, to, end, stepMs }
}

type Wanted = Range & { readonly tokenId: string }

/** The counters of a range, or `undefined` where they are too many. */
async function readOnce(
  { store }: Context,
  { tokenId, from, to }: Pick<Wanted, 'tokenId' | 'from' | 'to'>,
): Promise<UsageRows | undefined> {
  const rows = await store.usage({ tokenIds: [tokenId], from, ...(to !== undefined && { to }), limit: MAX_COUNTERS + 1 })
  return rows.counts.length > MAX_COUNTERS ? undefined : rows
}

/** The counters added up by step, read in parts so small that none is too many. */
async function readInSteps(context: Context, wanted: Wanted): Promise<UsageRows | undefined> {
  const sums = new Map<string, UsageCount>()
  const parts: Pick<Wanted, 'from' | 'to' | 'end'>[] = [wanted]
  let addresses: UsageRows['addresses'] | undefined
  let read = 0
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const rows = await readOnce(context, { tokenId: wanted.tokenId, ...part })
    const halves = rows === undefined ? halve(part) : []
    read += rows?.counts.length ?? MAX_COUNTERS
    if ((rows === undefined && halves.length === 0) || read > MAX_READ) return undefined
    parts.push(...halves)
    addresses ??= rows?.addresses
    for (const row of rows?.counts ?? []) addTo(sums, row, wanted)
    if (sums.size > MAX_COUNTERS) return undefined
  }
  return { counts: [...sums.values()].sort((a, b) => a.bucketAt - b.bucketAt), addresses: addresses ?? [] }
}

/** A range in two, at a whole hour; nothing where it is an hour. */
function halve({ from, to, end }: Pick<Wanted, 'from' | 'to' | 'end'>): Pick<Wanted, 'from' | 'to' | 'end'>[] {
  const middle = Math.ceil((from + end) / 2 / HOUR_MS) * HOUR_MS
  if (!(from < middle && middle < end)) return []
  return [
    { from: middle, to, end },
    { from, to: middle, end: middle },
  ]
}

function addTo(sums: Map<string, UsageCount>, row: UsageCount, { from, stepMs }: Wanted): void {
  const bucketAt = from + Math.floor((row.bucketAt - from) / stepMs) * stepMs
  const key = JSON.stringify([bucketAt, row.endpoint, row.outcome, row.scope])
  sums.set(key, { ...row, bucketAt, count: row.count + (sums.get(key)?.count ?? 0) })
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

function tooMany(stepMs: number): InvalidInputError {
  const way = stepMs < DAY_MS ? 'request a shorter one, or a longer step' : 'ask for a shorter one'
  return new InvalidInputError('from', `makes more than ${MAX_COUNTERS.toLocaleString('en')} counts in this range: ${way}`)
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
