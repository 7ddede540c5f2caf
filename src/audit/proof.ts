import type { AuditAnchors } from '../model/audit.js'
import type { ListedEvent } from '../model/event.js'
import { isGood } from './check.js'
import { eventDigest, hasKnownFields } from './event-digest.js'
import { isHash } from './hash.js'
import { inclusionPath, rootFromPath } from './merkle.js'
import { bareSeal, type FullSeal, readBareSeal, type Seal, sealHash } from './seal.js'

/** Proves that one event is in the audit log, without revealing any other. Plain JSON. */
export type EventProof = {
  readonly version: 1
  /** The event as stored, without its hidden fields. */
  readonly event: ListedEvent
  /** Its index among the events under its seal. */
  readonly index: number
  /** The inclusion proof (RFC 9162 §2.1.3). */
  readonly path: readonly string[]
  /** The event's seal, and the later ones up to the head that the proof leads to. */
  readonly seals: readonly Seal[]
}

/** Result of `verifyEventProof`. */
export type ProofVerification = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Returns the proof that the first of the seals covers this event; `undefined` if it does not. */
export function proofOf(event: ListedEvent, seal: FullSeal, behind: readonly Seal[]): EventProof | undefined {
  const digest = eventDigest(event)
  const index = seal.leaves.findIndex((leaf) => leaf[0] === event.seq && leaf[1] === digest)
  if (index === -1) return undefined
  const seals = [bareSeal(seal), ...behind]
  // Only the last seal keeps its signature, which also covers those before it.
  const chain = seals.map((each, place) => (place === seals.length - 1 ? each : unsigned(each)))
  return { version: 1, event, index, path: inclusionPath(seal.leaves, index), seals: chain }
}

function unsigned({ signature: _, ...seal }: Seal): Seal {
  return seal
}

/** Checks a proof against a kept head, a signature, or both. Every given anchor must match. */
export async function checkProof(proof: unknown, { head, verifySignature }: AuditAnchors): Promise<ProofVerification> {
  const seals = sealsOf(proof)
  const [first] = seals ?? []
  const last = seals?.at(-1)
  if (first === undefined || last === undefined) return { ok: false, reason: 'this is not a proof, or its seals do not follow each other' }
  if (!isIncluded(proof, first)) return { ok: false, reason: 'the event is not the sealed event' }
  if (head !== undefined && (head.number !== last.number || head.hash !== sealHash(last))) {
    const reason =
      head.number === last.number
        ? 'the proof leads to a different head'
        : `the proof leads to seal ${last.number}: create the proof for seal ${head.number}`
    return { ok: false, reason }
  }
  if (verifySignature !== undefined) {
    const { signature } = last
    if (signature === undefined) return { ok: false, reason: 'the last seal of the proof is not signed' }
    if (!(await isGood(verifySignature, sealHash(last), signature))) return { ok: false, reason: 'the signature does not verify' }
  }
  return { ok: true }
}

function sealsOf(proof: unknown): readonly Seal[] | undefined {
  const { version, event: _, index: __, path: ___, seals, ...more } = Object(proof) as { readonly [Field in keyof EventProof]?: unknown }
  if (version !== 1 || !Array.isArray(seals) || Object.keys(more).length > 0) return undefined
  const read: Seal[] = []
  for (const value of seals) {
    const seal = readBareSeal(value)
    const before = read.at(-1)
    // Only the last seal is signed, and no seal includes its leaves.
    if (seal === undefined || before?.signature !== undefined || Object.hasOwn(Object(value), 'leaves')) return undefined
    const follows = before === undefined || (seal.number === before.number + 1 && seal.previous === sealHash(before))
    if (!follows || seal.prefix !== (before ?? seal).prefix) return undefined
    read.push(seal)
  }
  return read
}

function isIncluded(proof: unknown, { root, count, prefix }: Seal): boolean {
  const { event, index, path } = Object(proof) as { readonly [Field in keyof EventProof]?: unknown }
  if (typeof event !== 'object' || event === null || !hasKnownFields(event) || Object.hasOwn(event, 'damaged')) return false
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) return false
  if (!Array.isArray(path) || !path.every(isHash)) return false
  const { seq, prefix: own } = event as ListedEvent
  if (!Number.isSafeInteger(seq) || seq < 0 || own !== prefix) return false
  try {
    return rootFromPath([seq, eventDigest(event as ListedEvent)], index, count, path) === root
  } catch {
    return false
  }
}
