import type { AuditEvent, StoredEvent } from '../model/event.js'
import { callOut, isThenable } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import { viewEvent } from './view-event.js'

/** Notifies the host of durable events. A faulty host callback has no effect on latchkey. */
export function createAnnouncer(
  onEvent: ((event: AuditEvent) => unknown) | undefined,
  report: Report,
): (events: readonly StoredEvent[]) => void {
  if (onEvent === undefined) return () => undefined
  const site = { what: 'the onEvent option', where: 'onEvent', deadlineMs: Number.POSITIVE_INFINITY, report } as const
  return function announce(events) {
    for (const event of events) {
      try {
        const answer = callOut(site, () => onEvent(viewEvent(event)))
        if (isThenable(answer)) answer.catch(() => undefined)
      } catch {
        // The error was reported. The change is already durable; the callback is only a notification.
      }
    }
  }
}
