import type { ListedEvent } from '../model/event.js'
import { readableDigest } from './event-digest.js'
import { type Leaf, rootOf } from './merkle.js'
import type { Problems } from './problems.js'
import type { FullSeal } from './seal.js'

/** An event that differs from what was sealed. */
type Odd = {
  readonly seq: number
  readonly eventId: string
  readonly digest: string | undefined
  readonly kind: 'changed' | 'inserted'
  readonly damaged?: unknown
}

const WHAT = { changed: 'the event differs from what was sealed', inserted: 'the event did not exist when its range was sealed' } as const

/** Returns the message for an event that cannot be read completely. `fields` comes from the event, and may be anything in an export. */
export function damagedMessage(fields: unknown): string {
  const named = Array.isArray(fields) && fields.length > 0 && fields.every((field) => typeof field === 'string')
  return `the event is damaged: ${named ? fields.join(', ') : 'part of it'} cannot be read`
}

/** The maximum number of differing events that are checked for a change of order. */
const MOST_ODD = 1000

/** Compares the events in the range of one seal, one by one, with what was sealed. */
export class SealedRange {
  readonly #seal: FullSeal
  readonly #problems: Problems
  readonly #awaited: Map<number, string>
  /** Used only if the seal's leaves do not match its root. */
  readonly #found: Leaf[] | undefined
  readonly #odd: Odd[] = []
  readonly #asSealed: (event: ListedEvent) => void
  sealed = 0
  erased = 0

  constructor(seal: FullSeal, after: number, problems: Problems, asSealed: (event: ListedEvent) => void) {
    this.#seal = seal
    this.#problems = problems
    this.#asSealed = asSealed
    this.#awaited = new Map(seal.leaves)
    const inOrder = seal.leaves.every(([seq], index) => seq > (seal.leaves[index - 1]?.[0] ?? after) && seq <= seal.lastSeq)
    if (inOrder && rootOf(seal.leaves) === seal.root) return
    this.#found = []
    problems.add({ kind: 'seal', seal: seal.number, message: 'the seal does not match the events that it covers' })
  }

  event(event: ListedEvent): void {
    const digest = readableDigest(event)
    const { seq, id } = event
    const awaited = this.#awaited.get(seq)
    if (this.#found !== undefined) {
      if (this.#found.length <= this.#seal.count) this.#found.push([seq, digest ?? ''])
    } else if (digest !== undefined && digest === awaited) {
      this.#awaited.delete(seq)
      this.sealed += 1
      if (event.erased !== undefined) this.erased += 1
      this.#asSealed(event)
    } else {
      this.#note({ seq, eventId: String(id), digest, kind: awaited === undefined ? 'inserted' : 'changed', damaged: event.damaged })
    }
  }

  end(): void {
    const { number, count, root, leaves } = this.#seal
    if (this.#found !== undefined) {
      const isWhole = this.#found.every(([, digest]) => digest !== '') && this.#found.length === count && rootOf(this.#found) === root
      if (isWhole) this.sealed += count
      else this.#problems.add({ kind: 'changed', seal: number, message: 'the events differ from those that were sealed' })
      return
    }
    const places = new Map(leaves.map(([seq, digest]) => [digest, seq]))
    for (const { seq, eventId, digest, kind, damaged } of this.#odd) {
      const place = digest === undefined ? undefined : places.get(digest)
      this.#awaited.delete(seq)
      if (place === undefined) {
        const message = damaged === undefined ? WHAT[kind] : damagedMessage(damaged)
        this.#problems.add({ kind, seal: number, seq, eventId, message })
      } else {
        this.#awaited.delete(place)
        this.#problems.add({ kind: 'reordered', seal: number, seq, eventId, message: `the event was sealed at position ${place}` })
      }
    }
    for (const seq of this.#awaited.keys()) this.#problems.missing(number, seq)
  }

  #note(odd: Odd): void {
    if (this.#odd.length < MOST_ODD) this.#odd.push(odd)
    else
      this.#problems.add({
        kind: odd.kind,
        seal: this.#seal.number,
        seq: odd.seq,
        eventId: odd.eventId,
        message: 'the event does not match the seal',
      })
  }
}
