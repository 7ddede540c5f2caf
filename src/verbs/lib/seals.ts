import { digestToSeal } from '../../audit/event-digest.js'
import type { Leaf } from '../../audit/merkle.js'
import { type FullSeal, headOf, nextSeal, openSeal, SEALED_AT_ONCE, type Seal, sealHash, storeSeal } from '../../audit/seal.js'
import { ConflictError, StoreUnavailableError } from '../../errors.js'
import type { AuditHead } from '../../model/audit.js'
import { isInstant } from '../../policy/instant.js'
import { callOut } from '../../store/deadline.js'
import type { StoredSeal } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

const LONGEST_SIGNATURE = 4000

/** The numbers of the newest heads that `onSeal` of this node was told of. */
const told: WeakMap<Context, number> = new WeakMap()

/**
 * The newest seal of the audit.
 *
 * @throws StoreUnavailableError `store_unavailable`, for one that is damaged: what it says must not be sealed over
 */
export async function newestSeal(context: Context): Promise<FullSeal | undefined> {
  const [stored] = await context.store.seals({ prefix: context.settings.prefix, order: 'newest', limit: 1 })
  return stored === undefined ? undefined : mustOpen(stored)
}

/**
 * A seal as it stands in the store.
 *
 * @throws StoreUnavailableError `store_unavailable`, for one that is damaged
 */
export function mustOpen(stored: StoredSeal): FullSeal {
  const seal = openSeal(stored)
  if (seal === undefined) throw new StoreUnavailableError(`seal ${stored.number} of the audit is damaged: see verifyAudit()`)
  return seal
}

/**
 * Seals what is not sealed yet, range by range, and answers the newest seal. Whoever else seals at the same time, one chain comes of it: the store
 * takes each number once, and whoever comes second begins anew behind it.
 *
 * A place that `events` has answered is final: nothing that is committed later stands before it.
 */
export async function sealUp(context: Context, goOn: () => Promise<boolean> = async () => true): Promise<Seal | undefined> {
  const { prefix } = context.settings
  let written: FullSeal | undefined
  for (;;) {
    const before: FullSeal | undefined = written ?? (await newestSeal(context))
    await tellHost(context, before)
    if (!(await goOn())) return before
    const page = await context.store.events({ prefix, order: 'oldest', after: before?.lastSeq ?? 0, limit: SEALED_AT_ONCE })
    if (page.length === 0) return before
    const leaves = page.map((event): Leaf => [event.seq, digestToSeal(event)])
    written = await addSeal(context, before, leaves)
    await tellHost(context, written)
    if (written !== undefined && page.length < SEALED_AT_ONCE) return written
  }
}

/**
 * Seals, where the audit is sealed at all, before sealed events are removed or lose fields. Answers the place up to which everything is sealed;
 * `undefined` where there are no seals, so that there is nothing to wait for.
 */
export async function sealFirst(context: Context, goOn?: () => Promise<boolean>): Promise<number | undefined> {
  const isSealed = context.settings.sealing !== undefined || (await newestSeal(context)) !== undefined
  return isSealed ? ((await sealUp(context, goOn))?.lastSeq ?? 0) : undefined
}

/** Writes into the seals, before sealed events go, that those up to a place may be gone. */
export async function sealRemoval(context: Context, seq: number): Promise<void> {
  for (;;) {
    const before = await newestSeal(context)
    const through = Math.min(seq, before?.lastSeq ?? 0)
    if (before === undefined || (before.prunedThrough ?? 0) >= through) return
    const written = await addSeal(context, before, [], through)
    await tellHost(context, written)
    if (written !== undefined) return
  }
}

/** Answers the seal, or nothing where another node has written one of its number. */
async function addSeal(
  context: Context,
  before: Seal | undefined,
  leaves: readonly Leaf[],
  prunedThrough?: number,
): Promise<FullSeal | undefined> {
  const { prefix, clock, sealing, deadlineMs } = context.settings
  const at = clock()
  // A seal with any other time could never be read again, nor be followed by another.
  if (!isInstant(at)) throw new StoreUnavailableError('nothing can be sealed: the option clock returned no valid time')
  const made = nextSeal(before, { prefix, at, leaves, prunedThrough })
  const sign = sealing?.sign
  // Behind a signed seal an unsigned one is taken for a forgery, for good.
  if (sign === undefined && before?.signature !== undefined) {
    throw new ConflictError(
      'conflict',
      'the seals of this audit are signed, and this instance has no sealing.sign: seal on a node that has it',
    )
  }
  const site = { what: 'the option sealing.sign', where: 'sealSign', deadlineMs, report: context.report } as const
  const signature = sign === undefined ? undefined : await callOut(site, () => sign(sealHash(made)), readSignature)
  const seal: FullSeal = signature === undefined ? made : { ...made, signature }
  return (await context.store.saveSeal(storeSeal(seal))) ? seal : undefined
}

function readSignature(answer: unknown): string {
  if (typeof answer === 'string' && answer !== '' && answer.length <= LONGEST_SIGNATURE) return answer
  throw new TypeError(`must return a signature, as text of at most ${LONGEST_SIGNATURE} characters`)
}

// A head that the host did not take is told again the next time.
async function tellHost(context: Context, seal: Seal | undefined): Promise<void> {
  const { sealing, deadlineMs } = context.settings
  const onSeal = sealing?.onSeal
  if (seal === undefined || onSeal === undefined || (told.get(context) ?? 0) >= seal.number) return
  const head: AuditHead = headOf(seal)
  try {
    await callOut({ what: 'the option sealing.onSeal', where: 'onSeal', deadlineMs, report: context.report }, () => onSeal(head))
    told.set(context, Math.max(told.get(context) ?? 0, seal.number))
  } catch {
    // The host has heard of it, and sealing goes on.
  }
}
