import type { ListedEvent } from '../model/event.js'
import type { Json } from '../model/json.js'
import { eraseFields } from './event-digest.js'
import type { Problems } from './problems.js'

/** What `details` of an `owner.erased` event holds under `covers`: these fields of the events at these places of the store's order. */
export type ErasedPart = { readonly fields: readonly string[]; readonly seqs: readonly number[] }

/** An erasure that is still to be made. */
export type Erasure = {
  /** The events that change, without what is erased. */
  readonly events: readonly ListedEvent[]
  /** Goes into `details.covers` of an `owner.erased` event. It names places and fields, and nobody. */
  readonly covers: readonly ErasedPart[]
}

/**
 * Takes the personal fields that `isPersonal` names, by path and value, from these events, and says what has to be written about it.
 *
 * An erasure is told from tampering by an `owner.erased` event only, which stands behind the events that it covers and is sealed. So write that event first,
 * seal where the audit is sealed, and replace the events last: whatever crashes in between, nothing is gone that no seal tells of.
 */
export function eraseFrom(
  events: readonly ListedEvent[],
  isPersonal: (path: string, value: unknown, event: ListedEvent) => boolean,
): Erasure {
  const changed: ListedEvent[] = []
  const parts = new Map<string, { readonly fields: readonly string[]; readonly seqs: number[] }>()
  for (const event of events) {
    const erased = eraseFields(event, (path, value) => isPersonal(path, value, event))
    if (erased === event) continue
    changed.push(erased)
    const fields = erasedFields(erased).filter((path) => !Object.hasOwn(event.erased?.commitments ?? {}, path))
    const key = JSON.stringify(fields)
    const part = parts.get(key) ?? { fields, seqs: [] }
    part.seqs.push(event.seq)
    parts.set(key, part)
  }
  return { events: changed, covers: [...parts.values()] }
}

function erasedFields({ erased }: ListedEvent): readonly string[] {
  return Object.keys(erased?.commitments ?? {}).sort()
}

type Pending = { readonly seal: number; readonly eventId: string; readonly fields: readonly string[] }

/**
 * Holds every erased field against the `owner.erased` events behind it. Whoever can write to the database can erase as well as anybody; what
 * nobody can do is to erase and leave no such event in the sealed trail.
 *
 * Takes memory for erased events only.
 */
export class ErasureCheck {
  readonly #pending: Map<number, Pending> = new Map()
  /** Sealed, but nothing vouches for the seal yet. */
  readonly #unproven: { readonly part: ErasedPart; readonly before: number }[] = []

  /** An event that is as it was sealed under this seal. */
  event(event: ListedEvent, seal: number, isProven: boolean): void {
    const { seq, id, action } = event
    const fields = erasedFields(event)
    if (fields.length > 0) this.#pending.set(seq, { seal, eventId: id, fields })
    if (action !== 'owner.erased') return
    for (const part of partsOf(event.details?.covers)) {
      if (isProven) this.#cover(part, seq)
      else this.#unproven.push({ part, before: seq })
    }
  }

  /** Something vouches for every seal up to here. */
  proven(): void {
    for (const { part, before } of this.#unproven.splice(0)) this.#cover(part, before)
  }

  end(problems: Problems): void {
    for (const [seq, { seal, eventId, fields }] of this.#pending) {
      const message = `${fields.join(', ')} of the event ${fields.length === 1 ? 'is' : 'are'} gone, and no trusted sealed owner.erased event covers this`
      problems.add({ kind: 'changed', seal, seq, eventId, message })
    }
  }

  // What is to come cannot have been erased yet.
  #cover({ fields, seqs }: ErasedPart, before: number): void {
    for (const seq of seqs) {
      const pending = seq < before ? this.#pending.get(seq) : undefined
      if (pending === undefined) continue
      const left = pending.fields.filter((path) => !fields.includes(path))
      if (left.length === 0) this.#pending.delete(seq)
      else this.#pending.set(seq, { ...pending, fields: left })
    }
  }
}

function partsOf(covers: Json | undefined): readonly ErasedPart[] {
  return Array.isArray(covers) ? covers.filter(isPart) : []
}

function isPart(value: unknown): value is ErasedPart {
  const { fields, seqs } = Object(value) as { readonly [Field in keyof ErasedPart]?: unknown }
  return isListOf(fields, 'string') && isListOf(seqs, 'number')
}

function isListOf(value: unknown, type: string): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === type)
}
