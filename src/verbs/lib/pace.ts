import { Budget } from '../../cache/budget.js'
import type { Timing } from '../../store/deadline.js'

/** The unit, in milliseconds, in which the time that edits take is charged. */
const UNIT_MS = 10
/** The part of the deadline for which a node edits one token without slowing down. */
const FREE = 1 / 4
const LONGEST_DEADLINE_MS = 60_000
/** The part of the time for which a node may go on editing a token without slowing down. */
const LASTING = 1 / 10
/** At most this much is charged for one edit, however slow the store is. */
const MOST_UNITS = 5
/** How many races against other nodes the edits of a token may lose. */
const LOST = { burst: 4, perSecond: 0.5 } as const
/**
 * How long a token must stay as it was read before a slow edit is committed. Long enough for a more urgent change, on a node far from the store, to read the token
 * again and be committed.
 */
const GAP_MS = 250
/** With a short deadline, the gap is this part of it. */
const PART = 1 / 8
/** How many slow edits of one token wait at most. More would not be made before their deadline. */
export const MOST_PACED = 4

/**
 * Slows down the edits of a token that is edited all the time, or for which several nodes compete.
 *
 * A slow edit is committed only if nobody has changed the token for a while since it was read. So once all nodes are slow, a token stays unchanged for at least
 * that long after each edit, however many nodes there are.
 */
export class Pace {
  readonly #edits: Budget
  readonly #lost: Budget
  readonly #gapMs: number
  /** Ends the pause of the edit whose turn it is, by token. */
  readonly #pauses: Map<string, () => void> = new Map()

  constructor({ monotonic, deadlineMs }: Timing) {
    const burst = (Math.min(deadlineMs, LONGEST_DEADLINE_MS) * FREE) / UNIT_MS
    this.#edits = new Budget({ burst, perSecond: (LASTING * 1000) / UNIT_MS, debt: MOST_UNITS }, monotonic)
    this.#lost = new Budget(LOST, monotonic)
    this.#gapMs = Math.min(GAP_MS, deadlineMs * PART)
  }

  isSlow(id: string): boolean {
    return this.#edits.spent(id) || this.#lost.spent(id)
  }

  /** Counts an attempt to edit this token, which took this long. It was lost if somebody else changed the token first. */
  count(id: string, tookMs: number, isLost: boolean): void {
    const units = Math.min(MOST_UNITS, Math.round(tookMs / UNIT_MS))
    for (let unit = 0; unit < units; unit += 1) this.#edits.spend(id)
    if (isLost) this.#lost.spend(id)
  }

  /**
   * Waits until the edit whose turn it is may be committed. Returns `false` if it gives way instead.
   *
   * @throws the error of `refuse`, if the caller has not enough time left
   */
  async mayCommit(id: string, leftMs: number | undefined, refuse: () => Error): Promise<boolean> {
    if (!this.isSlow(id)) return true
    // Otherwise, nodes that read the token at the same time would commit at the same time, and the one nearest to the store would always win.
    const ms = this.#gapMs * (1 + Math.random() / 2)
    if (leftMs !== undefined && leftMs <= ms) throw refuse()
    return await new Promise<boolean>((resolve) => {
      const end = (isOver: boolean): void => {
        clearTimeout(timer)
        this.#pauses.delete(id)
        resolve(isOver)
      }
      const timer = setTimeout(() => end(true), ms)
      this.#pauses.set(id, () => end(false))
    })
  }

  /** Ends the pause of an edit because a more urgent change has arrived. */
  giveWay(id: string): void {
    this.#pauses.get(id)?.()
  }
}
