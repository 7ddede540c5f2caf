import { StoreUnavailableError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { Context } from '../../verify/context.js'
import { commit } from './change.js'

/** Writes those of the events that do not stand yet. */
export async function tell(context: Context, events: readonly StoredEvent[]): Promise<void> {
  let left = events
  while (left.length > 0) {
    const result = await commit(context, { events: left })
    if (result.ok) return
    const rest = left.filter(({ id }) => id !== result.conflict)
    if (rest.length === left.length)
      throw new StoreUnavailableError(`the ${context.store.name} store reported a conflict of something else`)
    left = rest
  }
}
