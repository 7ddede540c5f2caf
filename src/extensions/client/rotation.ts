import { idOf } from './token-text.js'

/** A rotation that was started but not finished. */
export type Rotation = {
  /** The idempotency key. It is random, so only the clients that share the storage can finish the rotation. */
  readonly key: string
  /** In seconds. A different overlap under the same idempotency key would be a different request. */
  readonly overlap: number
  /** The client that continues the rotation. A client that takes over a lost lock replaces this value, so the client that lost the lock notices. */
  readonly holder: string
}

const FORM = /^([0-9A-Za-z]{16})\.([0-9a-f-]{36})\.(\d{1,7})\.([0-9a-f-]{36})$/

/** Starts a rotation. */
export function beginRotation(overlap: number, holder: string): Rotation {
  return { key: crypto.randomUUID(), overlap, holder }
}

/** Returns the note of a token's rotation, which `readRotation` reads. */
export function noteRotation(token: string, { key, overlap, holder }: Rotation): string {
  return `${idOf(token)}.${key}.${overlap}.${holder}`
}

/** Reads a note. Returns `undefined` if it belongs to another token or is invalid. */
export function readRotation(token: string, note: string | undefined): Rotation | undefined {
  const [, id, key, overlap, holder] = FORM.exec(note ?? '') ?? []
  return id === idOf(token) && key !== undefined && holder !== undefined ? { key, overlap: Number(overlap), holder } : undefined
}
