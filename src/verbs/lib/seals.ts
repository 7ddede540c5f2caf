import { digestToSeal } from '../../audit/event-digest.js'
import type { Leaf } from '../../audit/merkle.js'
import { type FullSeal, headOf, nextSeal, openSeal, SEALED_AT_ONCE, type Seal, sealHash, storeSeal } from '../../audit/seal.js'
import { ConflictError, StoreUnavailableError } from '../../errors.js'
import type { AuditHead } from '../../model/audit.js'
import { readClock } from '../../policy/instant.js'
import { callOut } from '../../store/deadline.js'
import type { StoredSeal } from '../../store/port.js'
import { readPage } from '../../store/read-page.js'
import type { Context } from '../../verify/context.js'
import { MAX_TRIES } from './line.js'

const LONGEST_SIGNATURE = 4000

/** Numbers of the newest heads that this node has passed to `onSeal`, by the settings of its instance. */
const told: WeakMap<Context['settings'], number> = new WeakMap()

/** The newest seal that this node has written or returned, by the settings of its instance. */
const known: WeakMap<Context['settings'], { readonly number: number; readonly hash: string }> = new WeakMap()

/** Other nodes may have added seals after the known seal. At most this many are checked at once. */
const CHECKED_AT_ONCE = 100

/**
 * Returns the newest seal of the audit log.
 *
 * @throws StoreUnavailableError `store_unavailable`, if it is damaged, because a new seal must not build on it
 */
export async function newestSeal(context: Context): Promise<FullSeal | undefined> {
  const [stored] = await context.store.seals({ prefix: context.settings.prefix, order: 'newest', limit: 1 })
  return stored === undefined ? undefined : mustOpen(stored)
}

/**
 * Returns the newest seal, to build on it or return it to a caller. A later head vouches for everything before it, so it must not follow a chain that was
 * rewritten since this node last looked.
 *
 * @throws StoreUnavailableError `store_unavailable`, if the chain no longer contains the newest seal that this node has written or returned
 */
async function newestToContinue(context: Context): Promise<FullSeal | undefined> {
  // Read before the newest seal, because a concurrent call in this process may add a seal in the meantime.
  const before = known.get(context.settings)
  const newest = await newestSeal(context)
  const problem = before && (await whyNotAfter(context, before, newest))
  if (problem !== undefined) {
    const error = new StoreUnavailableError(`${problem}: see verifyAudit()`)
    context.report('sealing', error)
    throw error
  }
  if (newest !== undefined) remember(context, newest)
  return newest
}

async function whyNotAfter(
  { store, settings }: Context,
  before: { readonly number: number; readonly hash: string },
  newest: FullSeal | undefined,
): Promise<string | undefined> {
  const gap = (newest?.number ?? 0) - before.number
  if (newest === undefined || gap < 0) return missing(before.number)
  const limit = Math.min(gap, CHECKED_AT_ONCE)
  const stored = gap === 0 ? [] : await store.seals({ prefix: settings.prefix, after: before.number - 1, limit })
  const [first = newest, ...rest] = [...stored.map(mustOpen), ...(gap > CHECKED_AT_ONCE ? [] : [newest])]
  if (first.number !== before.number) return missing(before.number)
  if (sealHash(first) !== before.hash) return `seal ${before.number} of the audit log was replaced after this node used it`
  let last: Seal = first
  for (const seal of rest) {
    if (seal.number !== last.number + 1) return missing(last.number + 1)
    if (seal.previous !== sealHash(last)) return `seal ${seal.number} of the audit log does not continue seal ${last.number}`
    last = seal
  }
  return undefined
}

function missing(number: number): string {
  return `seal ${number} of the audit log is missing`
}

function remember({ settings }: Context, seal: Seal): void {
  if ((known.get(settings)?.number ?? 0) < seal.number) known.set(settings, { number: seal.number, hash: sealHash(seal) })
}

/** Finds the first seal that does not precede the target, or the newest seal if all of them do. */
export async function firstSeal(context: Context, newest: FullSeal, precedes: (seal: Seal) => boolean): Promise<FullSeal> {
  let [low, high, found] = [1, newest.number, newest]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const seal = (await sealAt(context, middle)) ?? newest
    if (precedes(seal)) low = middle + 1
    else [high, found] = [middle, seal]
  }
  return found
}

/** Reads the seal with this number; there is none before 1. */
export async function sealAt({ store, settings }: Context, number: number): Promise<FullSeal | undefined> {
  if (number < 1) return undefined
  const [stored] = await store.seals({ prefix: settings.prefix, after: number - 1, limit: 1 })
  return stored && mustOpen(stored)
}

/**
 * Opens a stored seal.
 *
 * @throws StoreUnavailableError `store_unavailable`, if it is damaged
 */
export function mustOpen(stored: StoredSeal): FullSeal {
  const seal = openSeal(stored)
  if (seal === undefined) throw new StoreUnavailableError(`seal ${stored.number} of the audit log is damaged: see verifyAudit()`)
  return seal
}

/**
 * Seals everything that is not sealed yet, range by range, and returns the newest seal. Concurrent callers produce a single chain: the store accepts each
 * number once, and a caller that loses starts again after the new seal.
 *
 * A position returned by `events` is final: nothing committed later comes before it.
 */
export async function sealUp(context: Context, goOn: () => Promise<boolean> = async () => true): Promise<Seal | undefined> {
  const { prefix } = context.settings
  const read = (limit: number, after: number | undefined) => context.store.events({ prefix, order: 'oldest', after: after ?? 0, limit })
  let written: FullSeal | undefined
  const progress = new Progress(context)
  for (;;) {
    const before: FullSeal | undefined = written ?? (await newestToContinue(context))
    progress.check(before)
    await tellHost(context, before)
    if (!(await goOn())) return before
    const { rows: page, more } = await readPage(SEALED_AT_ONCE, before?.lastSeq ?? 0, read, ({ seq }) => seq)
    if (page.length === 0) return before
    const leaves = page.map((event): Leaf => [event.seq, digestToSeal(event)])
    written = await addSeal(context, before, leaves)
    await tellHost(context, written)
    if (written !== undefined && !more) return written
  }
}

/**
 * Seals events before they are removed or lose fields, if the audit log is sealed at all. Returns the position up to which everything is sealed, or `undefined`
 * if there are no seals to wait for.
 */
export async function sealFirst(context: Context, goOn?: () => Promise<boolean>): Promise<number | undefined> {
  const { settings } = context
  const isSealed = settings.sealing !== undefined || known.has(settings) || (await newestSeal(context)) !== undefined
  return isSealed ? ((await sealUp(context, goOn))?.lastSeq ?? 0) : undefined
}

/** Records in the seals that events up to a position may be removed. Call it before removing them. */
export async function sealRemoval(context: Context, seq: number): Promise<void> {
  const progress = new Progress(context)
  for (;;) {
    const before = await newestToContinue(context)
    progress.check(before)
    const through = Math.min(seq, before?.lastSeq ?? 0)
    if (before === undefined || (before.prunedThrough ?? 0) >= through) return
    const written = await addSeal(context, before, [], through)
    await tellHost(context, written)
    if (written !== undefined) return
  }
}

/** A node that loses to another node finds that node's seal. A store that returned no seal would be queried forever. */
class Progress {
  readonly #storeName: string
  #newest = 0
  #tries = 0

  constructor({ store }: Context) {
    this.#storeName = store.name
  }

  /** @throws StoreUnavailableError `store_unavailable`, if the store refuses every seal that follows this one */
  check({ number }: Pick<Seal, 'number'> = { number: 0 }): void {
    this.#tries = number > this.#newest ? 0 : this.#tries + 1
    this.#newest = Math.max(number, this.#newest)
    if (this.#tries <= MAX_TRIES) return
    throw new StoreUnavailableError(`the ${this.#storeName} store refuses every new seal after the newest seal that it returns`)
  }
}

/** Returns the seal, or nothing if another node has written a seal with the same number. */
async function addSeal(
  context: Context,
  before: Seal | undefined,
  leaves: readonly Leaf[],
  prunedThrough?: number,
): Promise<FullSeal | undefined> {
  const { prefix, clock, sealing, deadlineMs } = context.settings
  // A seal with an invalid time could not be read again, and no other seal could follow it.
  const at = readClock(clock, 'nothing can be sealed')
  const made = nextSeal(before, { prefix, at, leaves, prunedThrough })
  const sign = sealing?.sign
  // An unsigned seal after a signed one would permanently count as a forgery.
  if (sign === undefined && before?.signature !== undefined) {
    throw new ConflictError(
      'conflict',
      'the seals of this audit log are signed, and this instance has no sealing.sign: seal on a node that has one',
    )
  }
  const site = { what: 'the sealing.sign option', where: 'sealSign', deadlineMs, report: context.report } as const
  const signature = sign === undefined ? undefined : await callOut(site, () => sign(sealHash(made)), readSignature)
  const seal: FullSeal = signature === undefined ? made : { ...made, signature }
  if (!(await context.store.saveSeal(storeSeal(seal)))) return undefined
  remember(context, seal)
  return seal
}

function readSignature(answer: unknown): string {
  if (typeof answer === 'string' && answer !== '' && answer.length <= LONGEST_SIGNATURE) return answer
  throw new TypeError(`must return a signature, as text of at most ${LONGEST_SIGNATURE} characters`)
}

// If the host does not accept a head, it is passed again next time.
async function tellHost(context: Context, seal: Seal | undefined): Promise<void> {
  const { settings } = context
  const { sealing, deadlineMs } = settings
  const onSeal = sealing?.onSeal
  if (seal === undefined || onSeal === undefined || (told.get(settings) ?? 0) >= seal.number) return
  const head: AuditHead = headOf(seal)
  try {
    await callOut({ what: 'the sealing.onSeal option', where: 'onSeal', deadlineMs, report: context.report }, () => onSeal(head))
    told.set(settings, Math.max(told.get(settings) ?? 0, seal.number))
  } catch {
    // The error was reported to the host, and sealing continues.
  }
}
