import { BASE62 } from './alphabet.js'
import { defaultEngine } from './hash.js'

const ID_LENGTH = 16

/** Derives an ID from these parts. Deriving it again yields the same ID, so a second insert fails on the primary key in any store. */
export function deriveId(parts: readonly string[]): string {
  return base62Of(fingerprint(parts))
}

/** Returns the last 16 base62 digits of a number in hexadecimal. */
export function base62Of(hex: string): string {
  let number = BigInt(`0x${hex}`)
  let id = ''
  while (id.length < ID_LENGTH) {
    id += BASE62.charAt(Number(number % 62n))
    number /= 62n
  }
  return id
}

/** SHA-256 over values as JSON, in hexadecimal. */
export function fingerprint(value: unknown): string {
  return defaultEngine.sha256(ascii(JSON.stringify(value)))
}

/** Escapes all non-ASCII characters of a JSON text, because the hash engines accept only ASCII. */
export function ascii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
