import { dueNotices, noticeEvent } from '../activity/due-notices.js'
import type { AuditAction } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import type { ListQuery } from '../store/port.js'
import type { Context } from '../verify/context.js'
import { tell } from './lib/tell.js'
import { notifyImported } from './notify-imported.js'

/** Number of notices per page and commit. A notice that was already written costs an extra commit. */
const PAGE = 50

type Window = { readonly action: AuditAction; readonly query: Partial<ListQuery> }

/**
 * Writes a notice for everything that became due after `since` and up to `now`. `since` is the instant up to which notices are complete, or 0 if there are
 * none. Lists only what became due in that interval, regardless of how many notices were written before.
 *
 * Returns whether it finished. Repeating part of the work writes no notice twice.
 */
export async function notify(context: Context, now: number, goOn: () => Promise<boolean>, since: number): Promise<boolean> {
  for (const window of windowsOf(context, since, now)) {
    if (!(await sweep(context, window, { since, now, goOn }))) return false
  }
  return notifyImported(context, now, goOn, since)
}

async function sweep(
  context: Context,
  { action, query }: Window,
  { since, now, goOn }: { readonly since: number; readonly now: number; readonly goOn: () => Promise<boolean> },
): Promise<boolean> {
  const { prefix, notices } = context.settings
  let after: ListedToken | undefined
  do {
    if (!(await goOn())) return false
    const page: readonly ListedToken[] = await context.store.list({
      prefix,
      now,
      limit: PAGE,
      ...query,
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    })
    const events = page.flatMap((token) =>
      dueNotices(token, now, notices)
        .filter((notice) => notice.action === action && notice.dueAt > since)
        .map((notice) => noticeEvent(token, notice, now)),
    )
    await tell(context, events)
    after = page.length === PAGE ? page.at(-1) : undefined
  } while (after !== undefined)
  return true
}

function windowsOf(context: Context, since: number, now: number): readonly Window[] {
  const { expiringMs, expired, rotationDue, oldStillUsedMs } = context.settings.notices
  const windows: Window[] = []
  const add = (action: AuditAction, from: number, to: number, statuses: ListQuery['statuses'] & object): void => {
    if (from <= to) windows.push({ action, query: { expiresFrom: from, expiresBefore: to + 1, statuses } })
  }
  // Tokens that expired before the first run get no notice.
  if (expired && since > 0) add('token.expired', since + 1, now, ['expired'])
  for (const [action, thresholds] of [
    ['token.expiring', expiringMs],
    ['token.old_still_used', oldStillUsedMs],
  ] as const) {
    // A token within a shorter threshold gets only the notice for that threshold.
    let nearer = 0
    for (const threshold of thresholds) {
      add(action, Math.max(since + threshold, now + nearer) + 1, now + threshold, ['active', 'pending'])
      nearer = threshold
    }
  }
  if (rotationDue && since < now) {
    windows.push({
      action: 'token.rotation_due',
      query: { rotationDue: true, rotationDueFrom: since + 1, statuses: ['active', 'pending'] },
    })
  }
  return windows
}
