import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'
import type { DamagedEvent } from '../model/health.js'
import type { Report } from './reporter.js'

const MOST = 100

/** The damaged events that this node has read. Each is reported once. */
export class DamagedEvents {
  readonly #report: Report
  readonly #found: Map<number, DamagedEvent> = new Map()

  constructor(report: Report) {
    this.#report = report
  }

  get found(): readonly DamagedEvent[] {
    return [...this.#found.values()]
  }

  /** Records the damaged events on a page, and returns the page. */
  look(page: readonly ListedEvent[]): readonly ListedEvent[] {
    for (const { id, seq, damaged } of page) {
      if (damaged === undefined || this.#found.has(seq) || this.#found.size === MOST) continue
      this.#found.set(seq, { id, seq, fields: [...damaged] })
      const what = `event ${id} of the audit, at position ${seq}, is damaged in the store`
      this.#report('store.events', new StoreUnavailableError(`${what}: ${damaged.join(', ')} cannot be read. See verifyAudit()`))
    }
    return page
  }
}
