import type { AuditEvent, StoredEvent } from '../model/event.js'
import { isThenable } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import { viewEvent } from './view-event.js'

/** Notifies the host of durable events. A faulty host callback has no effect on latchkey. */
export function createAnnouncer(
  onEvent: ((event: AuditEvent) => unknown) | undefined,
  report: Report,
): (events: readonly StoredEvent[]) => void {
  if (onEvent === undefined) return () => undefined
  const failed = (error: unknown): void => report('onEvent', error)
  return function announce(events) {
    for (const event of events) {
      try {
        const answer = onEvent(viewEvent(event))
        if (isThenable(answer)) answer.then(undefined, failed)
      } catch (error) {
        // The change is already durable; the callback is only a notification.
        failed(error)
      }
    }
  }
}
