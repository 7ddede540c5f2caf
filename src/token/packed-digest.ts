import { codeAt } from './code-at.js'

const DIGEST = /^[0-9a-f]{64}$/
const BYTES = 32

/** Overwritten for each digest. Its contents are not secret, because the store has the same value. */
const bytes = new Uint8Array(BYTES)

/** Packs a digest into half the memory, as a string of 32 one-byte characters. Returns an empty string, which matches nothing, for an invalid digest. */
export function packDigest(digest: string): string {
  if (!DIGEST.test(digest)) return ''
  for (let at = 0; at < bytes.length; at++) bytes[at] = (hexValue(codeAt(digest, 2 * at)) << 4) | hexValue(codeAt(digest, 2 * at + 1))
  return Reflect.apply(String.fromCharCode, undefined, bytes)
}

/** Returns the value of a lowercase hexadecimal digit's code. */
function hexValue(code: number): number {
  return (code & 15) + 9 * (code >> 6)
}

/** Returns whether this is the packed digest. Like `equalDigests`, takes the same time wherever they differ. */
export function isPacked(packed: string, digest: string): boolean {
  if (typeof digest !== 'string' || packed.length !== BYTES || digest.length !== 2 * BYTES) return false
  let difference = 0
  for (let at = 0; at < BYTES; at++) {
    const byte = codeAt(packed, at)
    difference |= (codeAt(digest, 2 * at) ^ digitOf(byte >> 4)) | (codeAt(digest, 2 * at + 1) ^ digitOf(byte & 15))
  }
  return difference === 0
}

/** Returns the code of a lowercase hexadecimal digit, without a branch or a lookup that would depend on it. */
function digitOf(value: number): number {
  return 48 + value + (((9 - value) >> 31) & 39)
}
