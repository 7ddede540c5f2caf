import type { AuditHead } from '../model/audit.js'
import type { StoredSeal } from '../store/port.js'
import { canonicalJson } from './canonical.js'
import { EMPTY_ROOT, hashText, isHash } from './hash.js'
import { type Leaf, rootOf } from './merkle.js'

/** The maximum number of events per seal, so that a range is read in one page and proofs are short. */
export const SEALED_AT_ONCE = 256

/** The `previous` hash of the first seal. */
export const NO_SEAL: string = '0'.repeat(64)

/** A seal over the audit events after the previous seal, up to and including `lastSeq`. */
export type Seal = {
  readonly version: 1
  readonly prefix: string
  /** 1, 2, 3 … */
  readonly number: number
  /** When it was created, by the clock of the node that created it, in milliseconds since the Unix epoch. */
  readonly at: number
  /** The position of its last event or, if it covers none, of the last event sealed before it. */
  readonly lastSeq: number
  /** The number of events that it covers. 0: it only records a removal. */
  readonly count: number
  /** The Merkle tree hash over its events (RFC 9162 §2.1.1), in hexadecimal. */
  readonly root: string
  /** The hash of the previous seal; 64 zeros in the first. */
  readonly previous: string
  /** Retention may have removed events up to this position. */
  readonly prunedThrough?: number
  /** The signature of this seal's hash, from the `sealing.sign` option. */
  readonly signature?: string
}

/**
 * A seal with the positions and digests of its events, from which their tree is built. They show whether each event was changed or removed, even after it
 * is gone.
 */
export type FullSeal = Seal & { readonly leaves: readonly Leaf[] }

/** Returns the hash of a seal, over everything but its signature. The next seal contains this hash, and the signature signs it. */
export function sealHash(seal: Seal): string {
  const { version, prefix, number, at, lastSeq, count, root, previous, prunedThrough } = seal
  return hashText('seal', canonicalJson({ version, prefix, number, at, lastSeq, count, root, previous, prunedThrough }))
}

/** Converts a seal to a head. */
export function headOf(seal: Seal): AuditHead {
  const { prefix, number, lastSeq, at, signature } = seal
  return { prefix, number, hash: sealHash(seal), lastSeq, at: new Date(at), ...(signature !== undefined && { signature }) }
}

/** Creates the next seal, over these events. Without events, it only records a removal. */
export function nextSeal(
  before: Seal | undefined,
  { prefix, at, leaves, prunedThrough }: { prefix: string; at: number; leaves: readonly Leaf[]; prunedThrough?: number | undefined },
): FullSeal {
  const pruned = Math.max(before?.prunedThrough ?? 0, prunedThrough ?? 0)
  return {
    version: 1,
    prefix,
    number: (before?.number ?? 0) + 1,
    at,
    lastSeq: leaves.at(-1)?.[0] ?? before?.lastSeq ?? 0,
    count: leaves.length,
    root: leaves.length === 0 ? EMPTY_ROOT : rootOf(leaves),
    previous: before === undefined ? NO_SEAL : sealHash(before),
    ...(pruned > 0 && { prunedThrough: pruned }),
    leaves,
  }
}

/** Converts a seal to the form that a store keeps. */
export function storeSeal(seal: FullSeal): StoredSeal {
  return { prefix: seal.prefix, number: seal.number, body: JSON.stringify(seal) }
}

/** Reads a seal from a store. Returns `undefined` if it is damaged. */
export function openSeal({ prefix, number, body }: StoredSeal): FullSeal | undefined {
  try {
    const seal = readSeal(JSON.parse(body))
    return seal?.prefix === prefix && seal.number === number ? seal : undefined
  } catch {
    return undefined
  }
}

/** Returns a seal without its leaves. */
export function bareSeal({ leaves: _, ...seal }: FullSeal): Seal {
  return seal
}

/** Reads a seal with its leaves, as `exportAudit` returns it. Returns `undefined` for anything else. */
export function readSeal(value: unknown): FullSeal | undefined {
  const seal = readBareSeal(value)
  const { leaves } = Object(value) as { readonly leaves?: unknown }
  if (seal === undefined || !Array.isArray(leaves) || leaves.length !== seal.count || !leaves.every(isLeaf)) return undefined
  return { ...seal, leaves: leaves.map(([seq, digest]) => [seq, digest] as const) }
}

const KNOWN: ReadonlySet<string> = new Set<keyof FullSeal>([
  'version',
  'prefix',
  'number',
  'at',
  'lastSeq',
  'count',
  'root',
  'previous',
  'prunedThrough',
  'signature',
  'leaves',
])

/** Reads a seal, with or without leaves. Returns `undefined` for anything else, including a seal with a field that its hash does not cover. */
export function readBareSeal(value: unknown): Seal | undefined {
  const { version, prefix, number, at, lastSeq, count, root, previous, prunedThrough, signature } = Object(value) as {
    readonly [Field in keyof Seal]?: unknown
  }
  if (version !== 1 || typeof prefix !== 'string' || !isPlace(number) || !isPlace(lastSeq) || !isPlace(count)) return undefined
  if (typeof at !== 'number' || !isHash(root) || !isHash(previous) || count > SEALED_AT_ONCE) return undefined
  if (prunedThrough !== undefined && !isPlace(prunedThrough)) return undefined
  if (signature !== undefined && typeof signature !== 'string') return undefined
  if (!Object.keys(Object(value)).every((field) => KNOWN.has(field))) return undefined
  const seal = { version, prefix, number, at, lastSeq, count, root, previous } as const
  return { ...seal, ...(prunedThrough !== undefined && { prunedThrough }), ...(signature !== undefined && { signature }) }
}

function isLeaf(value: unknown): value is Leaf {
  return Array.isArray(value) && value.length === 2 && isPlace(value[0]) && isHash(value[1])
}

function isPlace(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
