import { tryEach } from '../../activity/parts.js'
import { StoreUnavailableError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { Context } from '../../verify/context.js'
import { commit } from './change.js'

/** Writes the notices that do not exist yet. If the store refuses a notice but accepts others, reports the refusal and continues with the rest. */
export async function tell(context: Context, notices: readonly StoredEvent[]): Promise<void> {
  try {
    await write(context, notices)
  } catch (error) {
    if (notices.length < 2) throw error
    for (const [{ action }] of await tryEach(notices, (notice) => write(context, [notice]))) {
      context.report('notices', new StoreUnavailableError(`the ${context.store.name} store rejects a notice ${action}, which is skipped`))
    }
  }
}

async function write(context: Context, events: readonly StoredEvent[]): Promise<void> {
  let left = events
  while (left.length > 0) {
    const result = await commit(context, { events: left })
    if (result.ok) return
    const rest = left.filter(({ id }) => id !== result.conflict)
    if (rest.length === left.length) throw new StoreUnavailableError(`the ${context.store.name} store reported an unrelated conflict`)
    left = rest
  }
}
