import { ascii, base62Of } from './derive-id.js'
import { defaultEngine } from './hash.js'

/** Derives the stored values of imported tokens by HMAC with the import key, so that the store reveals nothing about a weak token or its old hash. */
export type ImportKeys = {
  /** Identifies the key without revealing it. */
  readonly keyId: string
  /** Returns the public ID of the token with this key in a format. */
  idOf(format: string, key: string): string
  /** Returns the text whose digest is stored. It contains characters that never occur in a token, so the digest is never that of a token created here. */
  bodyOf(format: string, id: string, proof: string): string
  /** Returns a keyed fingerprint of the row that a token came from. A different row with the same key has a different fingerprint. */
  markOf(format: string, key: string, material: string): string
}

/** Prepares the import key. The values differ for each prefix. */
export function createImportKeys(secret: string, prefix: string): ImportKeys {
  const hmac = defaultEngine.hmacSha256(secret)
  const derive = (purpose: 'id' | 'proof' | 'row', format: string, ...parts: readonly string[]): string =>
    hmac(ascii(JSON.stringify([`latchkey: import ${purpose}`, prefix, format, ...parts])))
  return {
    keyId: hmac(ascii(JSON.stringify(['latchkey: import key', prefix]))).slice(0, 8),
    idOf: (format, key) => base62Of(derive('id', format, key)),
    bodyOf: (format, id, proof) => `latchkey: import ${derive('proof', format, id, proof)}`,
    markOf: (format, key, material) => derive('row', format, key, material),
  }
}
