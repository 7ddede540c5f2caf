import { CompiledQuery } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { askRaw, type Steps } from '../engine.js'
import type { Quirks } from '../quirks.js'
import type { FeedRow } from '../schema/schema.js'
import type { Names } from '../schema/table-names.js'

type Runs = Pick<FeedRow, 'run' | 'run_before'>

/** How many replacements are remembered: one for each start of a server. */
const MOST = 100

/** The server was replaced by another one. */
export class ReplacedError extends StoreUnavailableError {
  constructor() {
    super(
      'postgres store: another server replaced this server, as in a failover, so this server is no longer used: shut it down, or restart the nodes if this server is the right one',
    )
  }
}

/**
 * The successions of server runs that this process has seen. They identify a primary that was replaced and then returns: it reports a run that ended, or a
 * second run that follows the same predecessor.
 */
export class Lineage {
  readonly #next: Map<string, string> = new Map()
  /** Grows when a replacement is seen, because older connections may go to the replaced server. */
  age = 0

  /**
   * Records the run ID that a server reports.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the server was replaced
   */
  note({ run, run_before }: Runs): void {
    if (this.#next.has(run) || (this.#next.get(run_before) ?? run) !== run) {
      throw new ReplacedError()
    }
    if (run_before === '' || this.#next.has(run_before)) return
    if (this.#next.size > 0) this.age += 1
    this.#next.set(run_before, run)
    const [oldest = ''] = this.#next.keys()
    if (this.#next.size > MOST) this.#next.delete(oldest)
  }

  /** Once a replacement has been seen, checks that this is not a server that was replaced. */
  *check(quirks: Quirks, names: Names): Steps<void> {
    if (this.#next.size === 0) return
    const { rows } = yield* askRaw(CompiledQuery.raw(`select run, run_before from ${quirks.table(names, 'feed')} where id = 1`))
    const [row] = rows as readonly Runs[]
    if (row !== undefined) this.note(row)
  }
}
