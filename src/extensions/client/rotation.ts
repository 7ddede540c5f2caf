import { idOf } from './token-text.js'

/** A rotation that was started but not finished. */
export type Rotation = {
  /** The idempotency key. It is random, so only the client that started the rotation can finish it. */
  readonly key: string
  /** In seconds. A different overlap under the same key would be a different request. */
  readonly overlap: number
}

const FORM = /^([0-9A-Za-z]{16})\.([0-9a-f-]{36})\.(\d{1,7})$/

/** Starts a rotation of a token. Returns its key and the note that `readRotation` reads. */
export function noteRotation(token: string, overlap: number): Rotation & { readonly note: string } {
  const key = crypto.randomUUID()
  return { key, overlap, note: `${idOf(token)}.${key}.${overlap}` }
}

/** Reads a note. Returns `undefined` if it belongs to another token or is invalid. */
export function readRotation(token: string, note: string | undefined): Rotation | undefined {
  const [, id, key, overlap] = FORM.exec(note ?? '') ?? []
  return id === idOf(token) && key !== undefined ? { key, overlap: Number(overlap) } : undefined
}
