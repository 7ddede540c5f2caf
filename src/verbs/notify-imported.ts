import { noticeEvent, STILL_MS } from '../activity/due-notices.js'
import type { ListedToken } from '../model/record.js'
import type { Context } from '../verify/context.js'
import { tell } from './lib/tell.js'

const PAGE = 50

/**
 * Writes a notice for each imported token that is still in use when the end of its format is near. Only covers notices that became due after `since`. Skips
 * tokens that were rotated, because they end as planned, and their overlap has its own notice.
 *
 * Returns whether it finished. Repeating part of the work writes no notice twice.
 */
export async function notifyImported(context: Context, now: number, goOn: () => Promise<boolean>, since: number): Promise<boolean> {
  const { imports, notices } = context.settings
  for (const { name, until } of imports?.formats ?? []) {
    if (until === undefined || !(now < until)) continue
    const thresholdMs = notices.expiringMs.find((each) => until - each <= now)
    if (thresholdMs === undefined || until - thresholdMs <= since) continue
    if (!(await sweep(context, { name, until, thresholdMs, now, goOn }))) return false
  }
  return true
}

type Ending = {
  readonly name: string
  readonly until: number
  readonly thresholdMs: number
  readonly now: number
  readonly goOn: () => Promise<boolean>
}

async function sweep(context: Context, { name, until, thresholdMs, now, goOn }: Ending): Promise<boolean> {
  const usedSince = now - Math.max(STILL_MS, thresholdMs)
  let after: ListedToken | undefined
  do {
    if (!(await goOn())) return false
    const page: readonly ListedToken[] = await context.store.list({
      prefix: context.settings.prefix,
      now,
      limit: PAGE,
      imported: true,
      statuses: ['active', 'pending'],
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    })
    const events = page.flatMap((token) => {
      const { importedFrom, replacedById, lastUsedAt } = token
      if (importedFrom !== name || replacedById !== undefined || lastUsedAt === undefined || lastUsedAt < usedSince) return []
      const details = {
        thresholdSeconds: thresholdMs / 1000,
        importedFrom,
        until: new Date(until).toISOString(),
        lastUsedAt: new Date(lastUsedAt).toISOString(),
      }
      return [noticeEvent(token, { action: 'token.old_still_used', dueAt: until - thresholdMs, of: until, thresholdMs, details }, now)]
    })
    await tell(context, events)
    after = page.length === PAGE ? page.at(-1) : undefined
  } while (after !== undefined)
  return true
}
