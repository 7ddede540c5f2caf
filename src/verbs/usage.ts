import * as z from 'zod'
import { InvalidInputError, NotFoundError } from '../errors.js'
import type { ListedToken } from '../model/record.js'
import { MAX_USE_TEXT, OTHER_USES, type UsageCount, type UsageReport, type UsageRows } from '../model/usage.js'
import type { Catalogue } from '../policy/catalogue.js'
import { durationSchema, instantSchema } from '../policy/field-schema.js'
import { readClock } from '../policy/instant.js'
import { ROTATE_SELF } from '../policy/scope.js'
import { readShape } from '../policy/shape.js'
import { givingWay } from '../verify/build-context.js'
import type { Context } from '../verify/context.js'
import { findListed } from './get.js'
import { canSee, type ReadActor } from './lib/actor.js'
import { MAX_COUNTERS, refuseLongRange, tooManyCounts } from './lib/usage-limits.js'
import { addTo, middleHour } from './lib/usage-sums.js'
import { flushUsage } from './lib/waits.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DEFAULT_DAYS = 30
/** Maximum number of rows that one call reads when it adds them up in longer steps. */
const MAX_READ = 200_000
/** Maximum number of endpoints, and of scopes, in the totals. Those with the most uses are kept. */
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
 * Reports a token's usage: counts by hour and endpoint, outcomes and addresses. Includes the uses that this process has counted so far.
 *
 * Without a range, covers the last 30 days. Refuses a range with too many rows for one answer: use a shorter range or longer steps.
 *
 * @throws NotFoundError `not_found`
 * @throws InvalidInputError `invalid_input`
 */
export async function usage(context: Context, actor: ReadActor, id: unknown, range: unknown): Promise<UsageReport> {
  const { from, to, end, stepMs } = readRange(range, readClock(context.settings.clock, 'the range cannot be determined'))
  await findSeen(context, actor, id)
  await flushUsage(context)
  // Read again, because the last use may have been written in the meantime.
  const stored = await findSeen(context, actor, id)
  const rows = await (stepMs === HOUR_MS ? readOnce : readInSteps)(context, { tokenId: stored.id, from, to, end, stepMs })
  // A report contains at most as many counters as are read at once, at about 100 bytes of JSON each.
  if (rows === undefined) throw tooManyCounts(MAX_COUNTERS, stepMs < DAY_MS ? 'a longer step' : undefined)
  const unusedScopes = context.usage === undefined ? undefined : unusedAmong(context.settings.catalogue, stored.scopes, rows.counts)
  return {
    ...report(stored.id, rows),
    ...(unusedScopes !== undefined && { unusedScopes }),
    ...(stored.lastUsedAt !== undefined && { lastUsedAt: new Date(stored.lastUsedAt) }),
    ...(stored.lastUsedIp !== undefined && { lastUsedIp: stored.lastUsedIp }),
  }
}

async function findSeen(context: Context, actor: ReadActor, id: unknown): Promise<ListedToken> {
  const stored = await findListed(context, actor, id)
  if (stored === undefined || !canSee(actor, stored)) throw new NotFoundError(String(id))
  return stored
}

const hourOf = (at: number): number => Math.floor(at / HOUR_MS) * HOUR_MS

type Range = { readonly from: number; readonly to: number | undefined; readonly end: number; readonly stepMs: number }

function readRange(range: unknown, now: number): Range {
  const { from, to, step = 3600 } = readShape(usageShape, range === undefined ? {} : range, 'usage()')
  const end = to ?? now
  const stepMs = step * 1000
  // Steps are counted from the start of the range. Without a given start, they begin at a whole hour.
  if (from === undefined)
    return { from: stepMs === HOUR_MS ? end - DEFAULT_DAYS * DAY_MS : hourOf(end - DEFAULT_DAYS * DAY_MS), to, end, stepMs }
  if (to !== undefined && !(from < to)) throw new InvalidInputError('from', 'must be before "to"')
  refuseLongRange(from, end)
  return { from, to, end, stepMs }
}

type Wanted = Range & { readonly tokenId: string }

/** Returns the counters of a range, or `undefined` if there are too many. */
async function readOnce(
  { store }: Context,
  { tokenId, from, to }: Pick<Wanted, 'tokenId' | 'from' | 'to'>,
): Promise<UsageRows | undefined> {
  const rows = await store.usage({ tokenIds: [tokenId], from, ...(to !== undefined && { to }), limit: MAX_COUNTERS + 1 })
  return rows.counts.length > MAX_COUNTERS ? undefined : rows
}

/** Adds up the counters by step. Splits the range until each part is small enough to read. */
async function readInSteps(context: Context, wanted: Wanted): Promise<UsageRows | undefined> {
  const sums = new Map<string, UsageCount>()
  const parts: Pick<Wanted, 'from' | 'to' | 'end'>[] = [wanted]
  let addresses: UsageRows['addresses'] | undefined
  const yielding = givingWay(context)
  let read = 0
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const rows = await readOnce(yielding, { tokenId: wanted.tokenId, ...part })
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

/** Splits a range in two at a whole hour. Returns nothing for a range of one hour. */
function halve({ from, to, end }: Pick<Wanted, 'from' | 'to' | 'end'>): Pick<Wanted, 'from' | 'to' | 'end'>[] {
  const middle = middleHour(from, end)
  if (!(from < middle && middle < end)) return []
  return [
    { from: middle, to, end },
    { from, to: middle, end: middle },
  ]
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

/** Expands the counter of a route that requires several scopes into one counter per scope. */
function eachScope(row: UsageCount): readonly UsageCount[] {
  return row.scope
    .split(' ')
    .filter((scope) => scope !== '')
    .map((scope) => ({ ...row, scope }))
}

/** Returns the grants that no allowed use required, or `undefined` when a counter does not show which scopes its uses required. */
function unusedAmong(catalogue: Catalogue, grants: readonly string[], rows: readonly UsageCount[]): readonly string[] | undefined {
  const allowed = rows.filter(({ outcome }) => outcome === 'allowed')
  if (allowed.some(hidesScopes)) return undefined
  const required = [...new Set(allowed.flatMap(eachScope).map(({ scope }) => scope))]
  return grants.filter((grant) => {
    // A token uses this scope only when it rotates itself. Its successor then takes over, so the scope always looks unused.
    if (grant === ROTATE_SELF) return false
    const given = catalogue.resolve([grant])
    return !required.some((scope) => given.has(scope))
  })
}

// When there are too many endpoints, scopes are no longer counted separately, and a long list of scopes is cut.
function hidesScopes({ endpoint, scope }: UsageCount): boolean {
  return scope.length >= MAX_USE_TEXT || (endpoint === OTHER_USES && scope === '')
}

/** Merges counters that differ only in scope. The result is by hour, endpoint and outcome, in the original order. */
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

function sum(rows: readonly UsageCount[]): number {
  return rows.reduce((total, row) => total + row.count, 0)
}

/** Sums by key, largest first. */
function totals(rows: readonly UsageCount[], keyOf: (row: UsageCount) => string): [string, number][] {
  const byKey = new Map<string, number>()
  for (const row of rows) byKey.set(keyOf(row), (byKey.get(keyOf(row)) ?? 0) + row.count)
  return [...byKey].sort((a, b) => b[1] - a[1])
}
