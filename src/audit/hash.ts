import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

/** The first byte of the hashed data, so that data of one kind cannot be taken for another. Leaves and nodes: RFC 9162 §2.1.1. */
const DOMAIN = { leaf: 0, node: 1, event: 2, field: 3, seal: 4 } as const

/** SHA-256 over a domain's byte and the parts. */
export function hash(domain: keyof typeof DOMAIN, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(DOMAIN[domain]), ...parts))
}

/** SHA-256 over a domain's byte and some text, as 64 hexadecimal digits. */
export function hashText(domain: keyof typeof DOMAIN, text: string): string {
  return bytesToHex(hash(domain, utf8ToBytes(text)))
}

/** Derives a key from another and a label, as 64 hexadecimal digits. It does not reveal the other key. */
export function deriveKey(key: string, label: string): string {
  return bytesToHex(hmac(sha256, utf8ToBytes(key), utf8ToBytes(label)))
}

/** SHA-256 of nothing: the root of an empty tree (RFC 9162 §2.1.1). */
export const EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const HASH = /^[0-9a-f]{64}$/

/** Returns whether this is a hash in hexadecimal. */
export function isHash(value: unknown): value is string {
  return typeof value === 'string' && HASH.test(value)
}

export { bytesToHex, hexToBytes, utf8ToBytes }
