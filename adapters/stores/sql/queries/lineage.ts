import { CompiledQuery } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { askRaw, type Steps } from '../engine.js'
import type { Quirks } from '../quirks.js'
import type { FeedRow } from '../schema/schema.js'
import type { Names } from '../schema/table-names.js'

type Runs = Pick<FeedRow, 'run' | 'run_before'>

/** Replacements that are remembered: one for each start of a server. */
const MOST = 100

/** The server is one that was replaced. */
export class ReplacedError extends StoreUnavailableError {
  constructor() {
    super(
      'postgres store: this server was replaced by another one, as in a failover, and is not used any more: fence it off, or restart the nodes if it is the right one',
    )
  }
}

/**
 * What this process has seen of one server's run following another's. A primary that was replaced, and comes back as if nothing had happened, is known by
 * it: it shows a run that ended, or another one that follows a run that was followed already.
 */
export class Lineage {
  readonly #next: Map<string, string> = new Map()
  /** Grows when a replacement is seen: what was connected before may be the server that was replaced. */
  age = 0

  /**
   * Takes in what a server shows.
   *
   * @throws StoreUnavailableError `store_unavailable`, where it was replaced
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

  /** Refuses a server that was replaced, where any replacement was seen. */
  *check(quirks: Quirks, names: Names): Steps<void> {
    if (this.#next.size === 0) return
    const { rows } = yield* askRaw(CompiledQuery.raw(`select run, run_before from ${quirks.table(names, 'feed')} where id = 1`))
    const [row] = rows as readonly Runs[]
    if (row !== undefined) this.note(row)
  }
}
