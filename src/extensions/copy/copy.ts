import { ConflictError } from '../../errors.js'
import { type Internals, internalsOf, type Latchkey } from '../../instance.js'
import { BALANCED, boundOfNode } from '../../policy/cache-bounds.js'
import { callback } from '../../policy/option-kinds.js'
import { objectOf, oneOf, passing, readOption } from '../../policy/option-reader.js'
import { MovingStore } from '../../store/moving-store.js'
import { type NodeLease, PLACED_AT_ONCE } from '../../store/port.js'
import { createTurns } from '../../store/timer.js'
import { untilDone } from '../../store/until-done.js'
import { checkOptions } from './check-options.js'
import { cancel, Markers, superseded } from './markers.js'
import { type AnyPart, type PartName, partsOf, type Rows } from './part.js'
import { type Pass, reconcile } from './reconcile.js'

/** A step of a move; see `copy`. */
export type CopyStep = 'copy' | 'fence' | 'open' | 'cancel'

/** The progress of a pass. */
export type CopyProgress = {
  readonly part: PartName
  /** `copy`: changes continue in the meantime. `last`: changes are refused. */
  readonly pass: 'copy' | 'last'
  /** The number of rows of the old store that were read. */
  readonly rows: number
}

/** Options of `copy`. */
export type CopyOptions = {
  /** @default 'copy' */
  readonly step?: CopyStep | undefined
  /** Called after every few hundred rows, and awaited. If it throws, the copy stops there. */
  readonly onProgress?: ((progress: CopyProgress) => unknown) | undefined
  /** Stops the copy at the next batch of rows. Rows already written stay, and another run continues from there. */
  readonly signal?: AbortSignal | undefined
}

/** The result for one kind of row. */
export type CopiedPart = {
  readonly count: number
  /** SHA-256 over all rows in order; after `fence` and `open`, the same in both stores. */
  readonly hash: string
  /** The number of rows that this run wrote. */
  readonly written: number
}

/** Result of `copy`. */
export type CopyReport = {
  readonly step: CopyStep
  /** Absent after `cancel`, which reads no rows. */
  readonly parts?: { readonly [Name in PartName]: CopiedPart }
  /** Events that were partly unreadable in the old store. The readable part of each was copied. */
  readonly damagedEvents: readonly string[]
  /** Tokens that could not be read from the old store. They were not copied, so the new store does not know them. */
  readonly damagedTokens: readonly string[]
}

const DEADLINE_MS = 30_000
const MOST_PASSES = 5
const POLL_MS = 50
/** A node without a cache has no lease. It checks the state of a move when its last check is older than this. */
const ASKS_WITHIN_MS = (BALANCED.maxStaleness * 1000) / 2

const reader = objectOf({
  step: oneOf<CopyStep>(['copy', 'fence', 'open', 'cancel'], "must be 'copy', 'fence', 'open' or 'cancel'").default('copy'),
  onProgress: callback<(progress: CopyProgress) => unknown>().optional(),
  signal: passing<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal').optional(),
})

/**
 * Moves all data of a prefix from one store to another, in three steps, each of which may be repeated:
 *
 * 1. `copy`: copies while changes continue. Each run writes only the differences.
 * 2. `fence`: from here on, both instances refuse changes with 503 `store_moving`, while verification continues on both. Copies the rest, and
 *    compares every row of both stores. If that fails, changes are accepted again, unless a store does not respond; then run it again, or run `cancel`.
 * 3. `open`: the old instance no longer verifies tokens, and the new one accepts changes. This cannot be undone.
 *
 * Before that, `cancel` ends the move: the old instance accepts changes again, and the new one accepts no tokens. Usage that the new instance counts
 * between steps 2 and 3 waits in memory on its nodes. Single-use tickets are not copied.
 *
 * @param from - the instance that uses the old store
 * @param to - an instance with the same prefix, peppers and import key, whose store has no data of this prefix
 * @throws InvalidInputError `invalid_input` if tokens of `from` would not be valid with `to`
 * @throws ConflictError `conflict` if the new store is not empty, the stores still differ at the end, or another copy has taken over
 * @throws StoreUnavailableError `store_unavailable`
 * @example
 * ```ts
 * const { parts } = await copy(oldTokens, newTokens, { step: 'fence' })
 * ```
 */
export async function copy(from: Latchkey, to: Latchkey, options: CopyOptions = {}): Promise<CopyReport> {
  const { step, onProgress, signal } = readOption(reader, options, 'copy()')
  const [old, now] = [internalsOf(from), internalsOf(to)]
  checkOptions({ from, to, old, now })
  const turn = createTurns(old.settings.monotonic)
  const pair = { from: storeOf(old).givingWay(turn), to: storeOf(now).givingWay(turn), prefix: from.prefix }
  if (step === 'cancel') {
    await cancel(pair, () => forget(pair.to, now))
    return { step, damagedEvents: [], damagedTokens: [] }
  }
  const run = new Run(await Markers.take(pair), { old, now }, { onProgress, signal })
  if (step === 'copy') await run.copy()
  else await run.fence()
  if (step === 'open') await run.open()
  return run.report(step)
}

function storeOf({ settings, report }: Internals): MovingStore {
  return new MovingStore(settings.store, DEADLINE_MS, settings.monotonic, report)
}

type Copied = { -readonly [Name in PartName]?: CopiedPart }

class Run {
  readonly #markers: Markers
  readonly #old: Internals
  readonly #now: Internals
  readonly #instances: readonly Internals[]
  readonly #options: Pick<CopyOptions, 'onProgress' | 'signal'>
  readonly #still: readonly AnyPart[]
  readonly #usage: AnyPart
  readonly #damaged = { events: new Set<string>(), tokens: new Set<string>() }
  readonly #copied: Copied = {}

  constructor(
    markers: Markers,
    { old, now }: { readonly old: Internals; readonly now: Internals },
    options: Pick<CopyOptions, 'onProgress' | 'signal'>,
  ) {
    this.#markers = markers
    this.#old = old
    this.#now = now
    this.#instances = [old, now]
    this.#options = options
    const { still, usage } = partsOf(markers.pair, {
      event: ({ id }) => this.#damaged.events.add(id),
      token: ({ id }) => this.#damaged.tokens.add(id),
    })
    this.#still = still
    this.#usage = usage
  }

  report(step: CopyStep): CopyReport {
    const { events, tokens } = this.#damaged
    return { step, parts: this.#copied as Required<Copied>, damagedEvents: [...events], damagedTokens: [...tokens] }
  }

  async copy(): Promise<void> {
    // Once the new instance verifies tokens, rows no longer change.
    if (this.#markers.target === 'ready') return await this.#check()
    for (const part of [...this.#still, this.#usage]) await this.#pass(part, 'copy')
  }

  async fence(): Promise<void> {
    const { source, target } = this.#markers
    if (target === 'ready' && source !== 'leaving') return await this.#check()
    // The old store may have changed since the copy was ready.
    await this.#markers.withdraw(this.#forget)
    await this.copy()
    try {
      await this.#markers.advance('source', 'fenced')
      // A node that knows about the move leaves its consumers and seals unchanged.
      await this.#awaitNodes()
      await this.#placeEvents()
      await this.#agree(this.#still)
      await this.#markers.advance('target', 'ready')
    } catch (error) {
      await this.#liftFence()
      throw error
    }
  }

  /** Lets the old instance accept changes again. If that fails, changes are still refused, and nothing is lost. */
  async #liftFence(): Promise<void> {
    try {
      await this.#markers.withdraw(this.#forget)
      await this.#markers.advance('source', 'leaving')
    } catch {
      // The first error is thrown. Another run, or `cancel`, continues from the stored state.
    }
  }

  readonly #forget = (): Promise<void> => forget(this.#markers.pair.to, this.#now)

  async open(): Promise<void> {
    await this.#markers.advance('source', 'left')
    await this.#awaitNodes()
    const { usage } = this.#old.settings
    // Waits for the nodes to write their buffered counts.
    await pause(Math.max(ASKS_WITHIN_MS, usage === undefined ? 0 : 2 * usage.flushMs))
    // A later write would go to a store that is no longer read, so it is refused and its caller is informed.
    await this.#markers.advance('source', 'gone')
    await this.#awaitNodes()
    await this.#agree([this.#usage])
    await this.#markers.open()
  }

  /** Waits until every node of the old store has read the latest change, or no longer trusts its earlier reads. */
  async #awaitNodes(): Promise<void> {
    const { from } = this.#markers.pair
    const { monotonic } = this.#old.settings
    const began = monotonic()
    const { cursor } = await from.changes(undefined, 1)
    for (;;) {
      const behind = (await from.leases(0)).filter((lease) => !from.reached(lease.cursor, cursor))
      if (monotonic() - began >= longestBound(behind, 0, this.#old)) return
      this.#options.signal?.throwIfAborted()
      await pause(POLL_MS)
    }
  }

  /** Places the events of host transactions. All of these transactions have ended once changes are refused. */
  async #placeEvents(): Promise<void> {
    const { from, prefix } = this.#markers.pair
    await untilDone(from.name, 'events to place', async () => (await from.placeEvents(prefix)).length >= PLACED_AT_ONCE)
  }

  /** Copies until both stores have the same rows. */
  async #agree(parts: readonly AnyPart[]): Promise<void> {
    for (const part of parts) {
      let differs = true
      for (let passes = 0; differs && passes < MOST_PASSES; passes += 1) differs = !isSame(await this.#pass(part, 'last'))
      if (differs) throw mismatch(part.name)
    }
    // Compares all parts together once nothing is written anymore.
    for (const part of parts) if (!isSame(await this.#pass(part, 'last', false))) throw mismatch(part.name)
  }

  async #check(): Promise<void> {
    for (const part of this.#still) if (!isSame(await this.#pass(part, 'last', false))) throw mismatch(part.name)
    await this.#pass(this.#usage, 'copy')
  }

  async #pass(part: AnyPart, pass: CopyProgress['pass'], writes = true): Promise<Pass> {
    const { pair, runId } = this.#markers
    const { onProgress, signal } = this.#options
    const write = async (rows: Rows, looked: number): Promise<void> => {
      signal?.throwIfAborted()
      // Throws if an instance is closed.
      for (const inside of this.#instances) inside.store()
      if (writes && Object.keys(rows).length > 0) await this.#write({ ...rows, prefix: pair.prefix, runId })
      await onProgress?.({ part: part.name, pass, rows: looked })
    }
    const done = await reconcile(part, pair, write)
    const before = this.#copied[part.name]?.written ?? 0
    this.#copied[part.name] = { count: done.count, hash: done.hash, written: before + (writes ? done.written : 0) }
    return done
  }

  async #write(rows: Parameters<MovingStore['restore']>[0]): Promise<void> {
    const { to } = this.#markers.pair
    const result = await to.restore(rows)
    if (result === 'superseded') throw superseded()
    if (result === 'taken') {
      throw new ConflictError('conflict', `the ${to.name} store already uses an ID or an event position for another prefix`)
    }
  }
}

function isSame({ written, removed, hash, targetHash }: Pass): boolean {
  return written === 0 && removed === 0 && hash === targetHash
}

function mismatch(name: PartName): ConflictError {
  return new ConflictError('conflict', `the ${name} of the two stores differ after the copy`)
}

/** Waits until no node of the new store can still verify tokens with cached parts of the copy. */
async function forget(to: MovingStore, now: Internals): Promise<void> {
  await pause(longestBound(await to.leases(0), now.boundMs, now))
}

/** Returns the longest time that any of these nodes may still accept tokens from its cache. Each lease states its own bound. */
function longestBound(leases: readonly NodeLease[], least: number, { boundMs }: Internals): number {
  return Math.max(least, ...leases.map(({ nodeId }) => boundOfNode(nodeId) ?? boundMs))
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
