import type { AuditAnchors, AuditReport } from '../model/audit.js'
import type { ListedEvent } from '../model/event.js'
import { ErasureCheck } from './erasure.js'
import { Problems } from './problems.js'
import { damagedMessage, SealedRange } from './range.js'
import { type FullSeal, headOf, NO_SEAL, readBareSeal, readSeal, type Seal, sealHash } from './seal.js'

/** One entry of an exported audit log. A seal is followed by the events that it covers, in the store's order. */
export type AuditEntry = { readonly seal: unknown; readonly event?: undefined } | { readonly event: ListedEvent; readonly seal?: undefined }

/** Beyond this number, problems are reported without their position. */
const MOST_UNSEALED = 1000

/** Checks an audit log, entry by entry, against its seals, and the seals against anchors kept outside the database. */
export class AuditCheck {
  readonly #anchors: AuditAnchors
  readonly #problems = new Problems()
  readonly #erasures = new ErasureCheck()
  #prefix: string | undefined
  #last: Seal | undefined
  #range: SealedRange | undefined
  #sealed = 0
  #erased = 0
  #behind = 0
  /** The first events after the last seal, which no seal covers. */
  #unsealed: Pick<ListedEvent, 'seq' | 'id'>[] = []
  #lastSeq = -1
  /** Whether a signature or the head confirms the seals up to here. */
  #isSigned = false
  #lastIsSigned = false
  #prunedThrough = 0
  /** Recorded by seals that neither a signature nor the head confirms yet. */
  #prunedUnproven = 0

  constructor(anchors: AuditAnchors, prefix?: string) {
    this.#anchors = anchors
    this.#prefix = prefix
  }

  async entry(entry: unknown): Promise<void> {
    const { seal, event } = Object(entry) as { readonly seal?: unknown; readonly event?: unknown }
    if (seal !== undefined) await this.#seal(seal)
    else this.#event(event)
  }

  end(): AuditReport {
    this.#endRange()
    const { head, verifySignature } = this.#anchors
    const last = this.#last
    if (head !== undefined && head.number > (last?.number ?? 0)) {
      const end = last === undefined ? 'there are no seals' : `the seals end at ${last.number}`
      this.#wrong(head.number, `${end}, but the head is seal ${head.number}: the end was cut off, or an older copy was restored`)
    }
    if (verifySignature !== undefined && !this.#lastIsSigned) this.#wrong(last?.number, 'the last seal is not signed')
    const isAnchored = head !== undefined || verifySignature !== undefined
    this.#erasures.end(this.#problems)
    const { problems, moreProblems, pruned } = this.#problems.end(
      isAnchored ? this.#prunedThrough : Math.max(this.#prunedThrough, this.#prunedUnproven),
    )
    return {
      ok: problems.length === 0,
      anchor: anchorOf(this.#anchors),
      sealed: this.#sealed,
      erased: this.#erased,
      pruned,
      behind: this.#behind,
      ...(last !== undefined && { head: headOf(last) }),
      problems,
      moreProblems,
    }
  }

  async #seal(value: unknown): Promise<void> {
    this.#endRange()
    const expected = (this.#last?.number ?? 0) + 1
    const seal = readSeal(value)
    const bare = seal ?? readBareSeal(value)
    this.#refuseUnsealed(bare?.number ?? expected)
    if (seal === undefined) this.#wrong(bare?.number ?? expected, 'the seal is damaged')
    if (bare === undefined) return
    this.#prefix ??= bare.prefix
    if (bare.prefix !== this.#prefix) this.#wrong(bare.number, 'the seal has a different prefix')
    if (bare.number !== expected) this.#wrong(bare.number, `seal ${expected} is missing, or out of order`)
    const previous = this.#last === undefined ? NO_SEAL : sealHash(this.#last)
    if (bare.previous !== previous) this.#wrong(bare.number, 'the seal does not follow the one before it')
    this.#compareToHead(bare)
    this.#readRemoval(bare)
    await this.#checkSignature(bare)
    const after = this.#last?.lastSeq ?? 0
    this.#last = bare
    if (bare.lastSeq < after) this.#wrong(bare.number, 'the seal ends before the previous one')
    if (seal !== undefined) this.#range = this.#rangeOf(seal, after)
  }

  // An unconfirmed seal does not excuse an erasure, because anyone who can write to the database could have written it.
  #rangeOf(seal: FullSeal, after: number): SealedRange {
    const { head, verifySignature } = this.#anchors
    const isProven =
      (head === undefined && verifySignature === undefined) || this.#lastIsSigned || (head !== undefined && seal.number <= head.number)
    return new SealedRange(seal, after, this.#problems, (event) => this.#erasures.event(event, seal.number, isProven))
  }

  #event(value: unknown): void {
    const event = Object(value) as ListedEvent
    const { seq, id, prefix, damaged } = event
    const eventId = String(id)
    if (!Number.isSafeInteger(seq)) {
      this.#problems.add({ kind: 'changed', message: 'an entry is neither a seal nor an event' })
      return
    }
    if (seq <= this.#lastSeq) this.#problems.add({ kind: 'reordered', seq, eventId, message: 'the event follows a later one' })
    this.#lastSeq = Math.max(this.#lastSeq, seq)
    if (this.#prefix !== undefined && prefix !== this.#prefix) {
      this.#problems.add({ kind: 'inserted', seq, eventId, message: 'the event has a different prefix' })
    }
    if (this.#last !== undefined && seq <= this.#last.lastSeq) this.#range?.event(event)
    else {
      this.#behind += 1
      if (this.#unsealed.length < MOST_UNSEALED) this.#unsealed.push({ seq, id: eventId })
      if (damaged !== undefined) this.#problems.add({ kind: 'changed', seq, eventId, message: damagedMessage(damaged) })
    }
  }

  // Only events after the last seal may be unsealed. Anywhere else in an export, an unsealed event would look like a part of the sealed history.
  #refuseUnsealed(seal: number): void {
    for (let at = 0; at < this.#behind; at += 1) {
      const { seq, id: eventId } = this.#unsealed[at] ?? {}
      const place = { ...(seq !== undefined && { seq }), ...(eventId !== undefined && { eventId }) }
      this.#problems.add({ kind: 'inserted', seal, ...place, message: 'the event precedes a seal that does not cover it' })
    }
    this.#behind = 0
    this.#unsealed = []
  }

  #endRange(): void {
    this.#range?.end()
    this.#sealed += this.#range?.sealed ?? 0
    this.#erased += this.#range?.erased ?? 0
    this.#range = undefined
  }

  #compareToHead(seal: Seal): void {
    const { head } = this.#anchors
    if (head?.number === seal.number && head.hash !== sealHash(seal)) {
      this.#wrong(seal.number, 'the seal does not match the head that you passed: it was forged or replaced by an older copy')
    }
  }

  // A removal recorded in an unconfirmed seal does not excuse a missing event, because anyone who can remove events can also write such a seal.
  #readRemoval({ number, prunedThrough = 0 }: Seal): void {
    if (prunedThrough > (this.#last?.lastSeq ?? 0)) this.#wrong(number, 'the seal records the removal of events that were not sealed')
    const { head } = this.#anchors
    if (head !== undefined && number <= head.number) this.#prunedThrough = Math.max(this.#prunedThrough, prunedThrough)
    else this.#prunedUnproven = Math.max(this.#prunedUnproven, prunedThrough)
  }

  async #checkSignature(seal: Seal): Promise<void> {
    const { verifySignature } = this.#anchors
    if (verifySignature === undefined) return
    const { signature } = seal
    this.#lastIsSigned = signature !== undefined && (await isGood(verifySignature, sealHash(seal), signature))
    if (this.#lastIsSigned) {
      this.#prunedThrough = Math.max(this.#prunedThrough, this.#prunedUnproven)
      this.#erasures.proven()
    } else if (signature !== undefined) this.#wrong(seal.number, 'the signature of the seal does not verify')
    else if (this.#isSigned) this.#wrong(seal.number, 'the seal is not signed, but an earlier one is')
    this.#isSigned ||= this.#lastIsSigned
  }

  #wrong(seal: number | undefined, message: string): void {
    this.#problems.add({ kind: 'seal', ...(seal !== undefined && { seal }), message })
  }
}

/** Returns whether the signature is valid. A check that throws counts as invalid. */
export async function isGood(verify: NonNullable<AuditAnchors['verifySignature']>, hash: string, signature: string): Promise<boolean> {
  try {
    return (await verify(hash, signature)) === true
  } catch {
    return false
  }
}

function anchorOf({ head, verifySignature }: AuditAnchors): AuditReport['anchor'] {
  if (head !== undefined && verifySignature !== undefined) return 'head and signature'
  if (head !== undefined) return 'head'
  return verifySignature === undefined ? 'none' : 'signature'
}
