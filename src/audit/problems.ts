import type { AuditProblem } from '../model/audit.js'

const MOST = 1000

/**
 * Collects the problems in an audit log and its missing sealed events. Retention may have removed some of these, which only a later seal shows. The number of
 * problems is bounded.
 */
export class Problems {
  readonly #found: AuditProblem[] = []
  #more = 0
  /** Only the most recent missing events are kept, because retention removes the oldest. */
  readonly #missing: { readonly seal: number; readonly seq: number }[] = []
  #missingBefore = 0

  add(problem: AuditProblem): void {
    if (this.#found.length < MOST) this.#found.push(problem)
    else this.#more += 1
  }

  missing(seal: number, seq: number): void {
    this.#missing.push({ seal, seq })
    if (this.#missing.length <= 2 * MOST) return
    this.#missingBefore += this.#missing.splice(0, MOST).length
  }

  /** Returns the result; events up to `prunedThrough` may be missing. */
  end(prunedThrough: number): { readonly problems: readonly AuditProblem[]; readonly moreProblems: number; readonly pruned: number } {
    const removed = this.#missing.filter(({ seq }) => seq > prunedThrough)
    const earlier = removed.length === this.#missing.length ? this.#missingBefore : 0
    for (const place of removed)
      this.add({ kind: 'removed', ...place, message: 'a sealed event is gone, and no trusted seal records its removal' })
    const pruned = this.#missing.length - removed.length + this.#missingBefore - earlier
    return { problems: this.#found, moreProblems: this.#more + earlier, pruned }
  }
}
