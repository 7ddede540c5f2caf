import { idOf } from './token-text.js'

/** A rotation that was begun and not finished. */
export type Rotation = {
  /** The idempotency key: random, so that only who began the rotation can finish it. */
  readonly key: string
  /** In seconds. Another overlap under the same key would be another request. */
  readonly overlap: number
}

const FORM = /^([0-9A-Za-z]{16})\.([0-9a-f-]{36})\.(\d{1,7})$/

/** Begins a rotation of a token: its key, and the note from which `readRotation` reads it again. */
export function noteRotation(token: string, overlap: number): Rotation & { readonly note: string } {
  const key = crypto.randomUUID()
  return { key, overlap, note: `${idOf(token)}.${key}.${overlap}` }
}

/** Reads a note; `undefined` where it is of another token, or none at all. */
export function readRotation(token: string, note: string | undefined): Rotation | undefined {
  const [, id, key, overlap] = FORM.exec(note ?? '') ?? []
  return id === idOf(token) && key !== undefined ? { key, overlap: Number(overlap) } : undefined
}
