import type { ListedEvent } from '../model/event.js'
import type { Json } from '../model/json.js'
import { eraseFields } from './event-digest.js'
import type { Problems } from './problems.js'

/** An entry of `details.covers` in an `owner.erased` event: the erased fields, and the positions of the events that they were erased from. */
export type ErasedPart = { readonly fields: readonly string[]; readonly seqs: readonly number[] }

/** An event, and what is left of it without the erased fields. */
export type ErasedEvent = { readonly before: ListedEvent; readonly after: ListedEvent }

/**
 * Erases the personal fields that `isPersonal` selects, by path and value, from these events, and returns the events that lose fields.
 *
 * Only an `owner.erased` event, which follows the events that it covers and is sealed, distinguishes an erasure from tampering. Write that event first, then
 * seal if the audit log is sealed, and replace the events last: after a crash in between, every missing field is covered by a seal.
 */
export function eraseFrom(
  events: readonly ListedEvent[],
  isPersonal: (path: string, value: unknown, event: ListedEvent) => boolean,
): readonly ErasedEvent[] {
  return events.flatMap((before) => {
    const after = eraseFields(before, (path, value) => isPersonal(path, value, before))
    return after === before ? [] : [{ before, after }]
  })
}

/** Returns `details.covers` of an `owner.erased` event. It contains positions and field names, but no personal data. */
export function coversOf(erased: readonly ErasedEvent[]): readonly ErasedPart[] {
  const parts = new Map<string, { readonly fields: readonly string[]; readonly seqs: number[] }>()
  for (const { before, after } of erased) {
    const fields = erasedFields(after).filter((path) => !Object.hasOwn(before.erased?.commitments ?? {}, path))
    const key = JSON.stringify(fields)
    const part = parts.get(key) ?? { fields, seqs: [] }
    part.seqs.push(before.seq)
    parts.set(key, part)
  }
  return [...parts.values()]
}

function erasedFields({ erased }: ListedEvent): readonly string[] {
  return Object.keys(erased?.commitments ?? {}).sort()
}

type Pending = { readonly seal: number; readonly eventId: string; readonly fields: readonly string[] }

/**
 * Checks that an `owner.erased` event covers every erased field of an earlier event. Anyone who can write to the database can erase fields, but not without
 * leaving such an event in the sealed trail.
 *
 * Uses memory only for erased events.
 */
export class ErasureCheck {
  readonly #pending: Map<number, Pending> = new Map()
  /** Sealed, but neither a signature nor the head confirms the seal yet. */
  readonly #unproven: { readonly part: ErasedPart; readonly before: number }[] = []

  /** Adds an event that matches its digest under this seal. */
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

  /** Called when a signature or the head confirms every seal up to here. */
  proven(): void {
    for (const { part, before } of this.#unproven.splice(0)) this.#cover(part, before)
  }

  end(problems: Problems): void {
    for (const [seq, { seal, eventId, fields }] of this.#pending) {
      const message = `${fields.join(', ')} of the event ${fields.length === 1 ? 'is' : 'are'} gone, and no trusted, sealed owner.erased event records the erasure`
      problems.add({ kind: 'changed', seal, seq, eventId, message })
    }
  }

  // An event can only record erasures from earlier events.
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
