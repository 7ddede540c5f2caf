import { ConflictError } from '../../errors.js'
import { type Internals, internalsOf, type Latchkey } from '../../instance.js'
import type { ListedEvent } from '../../model/event.js'
import { callback } from '../../policy/option-kinds.js'
import { objectOf, oneOf, passing, readOption } from '../../policy/option-reader.js'
import { MovingStore } from '../../store/moving-store.js'
import { PLACED_AT_ONCE } from '../../store/port.js'
import { checkOptions } from './check-options.js'
import { cancel, Markers, superseded } from './markers.js'
import { type AnyPart, type PartName, partsOf, type Rows } from './part.js'
import { type Pass, reconcile } from './reconcile.js'

/** How far to go: see `copy`. */
export type CopyStep = 'copy' | 'fence' | 'open' | 'cancel'

/** How far a pass has come. */
export type CopyProgress = {
  readonly part: PartName
  /** `copy`: everything goes on. `last`: changes are refused. */
  readonly pass: 'copy' | 'last'
  /** Rows of the old store that were looked at. */
  readonly rows: number
}

/** Options of `copy`. */
export type CopyOptions = {
  /** @default 'copy' */
  readonly step?: CopyStep | undefined
  /** Told after every few hundred rows; the copy waits for it. If it throws, the copy ends there. */
  readonly onProgress?: ((progress: CopyProgress) => unknown) | undefined
  /** Ends the copy at the next rows. What was written stays, and another run goes on from there. */
  readonly signal?: AbortSignal | undefined
}

/** One kind of rows, once it was copied. */
export type CopiedPart = {
  readonly count: number
  /** SHA-256 over all rows in their order; after `fence` and `open`, that of both stores. */
  readonly hash: string
  /** Rows that this run wrote. */
  readonly written: number
}

/** Result of `copy`. */
export type CopyReport = {
  readonly step: CopyStep
  /** Absent after `cancel`, which looks at no rows. */
  readonly parts?: { readonly [Name in PartName]: CopiedPart }
  /** Events of which the old store cannot read everything: the rest of each was copied. */
  readonly damagedEvents: readonly string[]
}

const DEADLINE_MS = 30_000
const MOST_PASSES = 5
const POLL_MS = 50

const reader = objectOf({
  step: oneOf<CopyStep>(['copy', 'fence', 'open', 'cancel'], "must be 'copy', 'fence', 'open' or 'cancel'").default('copy'),
  onProgress: callback<(progress: CopyProgress) => unknown>().optional(),
  signal: passing<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal').optional(),
})

/**
 * Moves everything that one store keeps of a prefix to another store, in three steps, each of which may be repeated:
 *
 * 1. `copy`: copies while everything goes on. Each run writes only what differs.
 * 2. `fence`: from here on both instances refuse changes with 503 `store_moving`, while verifications go on with both. Copies the rest, and compares every
 *    row of both stores. If that fails, changes are let in again, unless a store does not answer: then another run, or `cancel`, goes on.
 * 3. `open`: the old instance decides nothing any more, and the new one accepts changes. There is no way back.
 *
 * `cancel` ends it before that: the old instance accepts changes, and the new one decides nothing. Usage that the new instance counts between 2 and 3 waits
 * in its nodes. Single-use tickets are not copied.
 *
 * @param from - over the old store
 * @param to - with the same prefix, peppers and import key, over a store that holds nothing of this prefix
 * @throws InvalidInputError `invalid_input`, where tokens of `from` would not be good with `to`
 * @throws ConflictError `conflict`, where the new store is not empty, both stores do not hold the same after all, or another copy has taken over
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
  const pair = { from: storeOf(old), to: storeOf(now), prefix: from.prefix }
  if (step === 'cancel') {
    await cancel(pair, () => pause(now.boundMs))
    return { step, damagedEvents: [] }
  }
  const run = new Run(await Markers.take(pair), { old, boundMs: now.boundMs }, { onProgress, signal })
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
  readonly #boundMs: number
  readonly #options: Pick<CopyOptions, 'onProgress' | 'signal'>
  readonly #still: readonly AnyPart[]
  readonly #usage: AnyPart
  readonly #damaged = new Set<string>()
  readonly #copied: Copied = {}

  constructor(
    markers: Markers,
    { old, boundMs }: { readonly old: Internals; readonly boundMs: number },
    options: Pick<CopyOptions, 'onProgress' | 'signal'>,
  ) {
    this.#markers = markers
    this.#old = old
    this.#boundMs = boundMs
    this.#options = options
    const { still, usage } = partsOf(markers.pair.prefix, ({ id }: ListedEvent) => this.#damaged.add(id))
    this.#still = still
    this.#usage = usage
  }

  report(step: CopyStep): CopyReport {
    return { step, parts: this.#copied as Required<Copied>, damagedEvents: [...this.#damaged] }
  }

  async copy(): Promise<void> {
    // Once the new instance verifies, rows change no more.
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
      // A node that has heard of it leaves its consumers and seals as they are.
      await this.#awaitNodes()
      await this.#placeEvents()
      await this.#agree(this.#still)
      await this.#markers.advance('target', 'ready')
    } catch (error) {
      await this.#liftFence()
      throw error
    }
  }

  /** Lets the old instance go on as if nothing had been. Where that fails, changes stay refused: nothing is lost by that. */
  async #liftFence(): Promise<void> {
    try {
      await this.#markers.withdraw(this.#forget)
      await this.#markers.advance('source', 'leaving')
    } catch {
      // The fault that came first is told. Another run, or `cancel`, goes on from what is stored.
    }
  }

  /** After this long no node believes any more that it may verify with the copy. */
  readonly #forget = (): Promise<void> => pause(this.#boundMs)

  async open(): Promise<void> {
    await this.#markers.advance('source', 'left')
    await this.#awaitNodes()
    const { usage } = this.#old.settings
    // Whatever they had counted by then.
    if (usage !== undefined) await pause(2 * usage.flushMs)
    await this.#agree([this.#usage])
    await this.#markers.open()
  }

  /** Waits until every node of the old store has heard of what was written last, or believes nothing any more that it read before. */
  async #awaitNodes(): Promise<void> {
    const { from } = this.#markers.pair
    const { monotonic } = this.#old.settings
    const end = monotonic() + this.#old.boundMs
    const { cursor } = await from.changes(undefined, 1)
    while (monotonic() < end && !(await from.leases(0)).every((lease) => from.reached(lease.cursor, cursor))) {
      this.#options.signal?.throwIfAborted()
      await pause(POLL_MS)
    }
  }

  /** Events of the host's transactions: all of these have ended when the fence stands. */
  async #placeEvents(): Promise<void> {
    const { from, prefix } = this.#markers.pair
    while ((await from.placeEvents(prefix)).length >= PLACED_AT_ONCE);
  }

  /** Copies until both stores hold the same. */
  async #agree(parts: readonly AnyPart[]): Promise<void> {
    for (const part of parts) {
      let differs = true
      for (let passes = 0; differs && passes < MOST_PASSES; passes += 1) differs = !isSame(await this.#pass(part, 'last'))
      if (differs) throw mismatch(part.name)
    }
    // All at once, when nothing is written any more.
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
      throw new ConflictError('conflict', `the ${to.name} store has an id, or a place of an event, for something of another prefix`)
    }
  }
}

function isSame({ written, removed, hash, targetHash }: Pass): boolean {
  return written === 0 && removed === 0 && hash === targetHash
}

function mismatch(name: PartName): ConflictError {
  return new ConflictError('conflict', `the ${name} of both stores are not the same after the copy`)
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
