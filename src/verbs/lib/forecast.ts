import type { ListedToken } from '../../model/record.js'
import type { OwnerForecast } from '../../model/revocation.js'
import { hasExpired } from '../../policy/status.js'
import type { TokenFilter } from '../../store/port.js'
import { givingWay } from '../../verify/build-context.js'
import type { Context } from '../../verify/context.js'
import { viewRecord } from '../../verify/view-record.js'
import { timeOfChange } from './change.js'
import { withLastUse } from './last-use.js'

const PAGE = 200
const MAX_COUNTED = 10_000
const MAX_SHOWN = 100
const RECENT_MS = 30 * 86_400_000

/** Counts the live tokens that match, and lists the tokens whose revocation would be noticed first. Bounded in time and memory. */
export async function forecast(context: Context, filter: TokenFilter): Promise<OwnerForecast> {
  const now = timeOfChange(context)
  const { store } = givingWay(context)
  let read = 0
  let live = 0
  let usedRecently = 0
  let shown: readonly ListedToken[] = []
  let after: { readonly createdAt: number; readonly id: string } | undefined
  for (;;) {
    const page = await store.list({
      ...filter,
      statuses: ['active', 'pending', 'inactive'],
      now,
      limit: PAGE + 1,
      ...(after !== undefined && { after }),
    })
    const found = page.slice(0, PAGE)
    const last = found.at(-1)
    read += found.length
    // A token may have expired while it was inactive.
    const rows = found.flatMap((row) => (hasExpired(row, now) ? [] : [withLastUse(context, row)]))
    live += rows.length
    usedRecently += rows.filter(({ lastUsedAt }) => lastUsedAt !== undefined && lastUsedAt > now - RECENT_MS).length
    shown = [...shown, ...rows].sort(byLastUse).slice(0, MAX_SHOWN)
    const complete = page.length <= PAGE
    if (last === undefined || complete || read >= MAX_COUNTED) {
      return { live, usedRecently, items: shown.map((row) => viewRecord(row, now)), complete }
    }
    after = { createdAt: last.createdAt, id: last.id }
  }
}

const byLastUse = (a: ListedToken, b: ListedToken): number => (b.lastUsedAt ?? 0) - (a.lastUsedAt ?? 0)
