import { base64url } from 'jose'
import { bytesToHex } from '../../audit/hash.js'
import type { Jwk } from './jwk.js'

const LEAST_RSA_BITS = 2048
/** The limit of the platforms' own libraries. */
const MOST_RSA_BITS = 16_384
const LEAST_HMAC_BYTES = 32
const FIELD_BYTES = 32

// RFC 8032 §5.1: the prime of the field of Ed25519.
const P = 2n ** 255n - 19n
const ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n
/** The `y` of the points of order 1, 2, 4 and 8, regardless of sign (libsodium, `ge25519_has_small_order`). */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, ORDER_8, P - ORDER_8])

// NIST SP 800-89 §5.3.3: a modulus has no factor below this.
const LEAST_FACTOR = 752n

/**
 * Returns why a key is too weak to verify with, regardless of who published it, or `undefined` if no weakness is known. The platform refuses points off the
 * curve when it imports the key.
 */
export function whyWeak({ kty, crv, n, e, k, x }: Jwk): string | undefined {
  if (kty === 'RSA') return whyWeakRsa(n, e)
  if (kty === 'OKP' && crv === 'Ed25519') return whyWeakEd25519(x)
  if (kty === 'oct') return whyWeakSecret(k)
  return undefined
}

/** Decodes base64url (RFC 7515 §2). Returns `undefined` for any other character or an impossible length. */
export function decodeKey(text: unknown): Uint8Array | undefined {
  return typeof text === 'string' && /^[A-Za-z0-9_-]+$/.test(text) && text.length % 4 !== 1 ? base64url.decode(text) : undefined
}

// RFC 7518 §3.3 requires 2048 bits; FIPS 186-5 §A.1.1 requires an odd exponent between 2^16 and 2^256.
function whyWeakRsa(n: unknown, e: unknown): string | undefined {
  const [modulus, exponent] = [integerOf(n), integerOf(e)]
  if (modulus === undefined || exponent === undefined) return 'RSA keys need a modulus and an exponent in base64url'
  const bits = modulus.toString(2).length
  if (bits < LEAST_RSA_BITS) return `RSA keys must have at least ${LEAST_RSA_BITS} bits`
  if (bits > MOST_RSA_BITS) return `RSA keys must have at most ${MOST_RSA_BITS} bits`
  if (hasSmallFactor(modulus)) return 'the modulus of an RSA key must not have small factors'
  if (exponent <= 2n ** 16n || exponent >= 2n ** 256n || exponent % 2n === 0n)
    return 'the exponent of an RSA key must be odd and greater than 65536'
  return undefined
}

function hasSmallFactor(modulus: bigint): boolean {
  for (let factor = 2n; factor < LEAST_FACTOR; factor += 1n) if (modulus % factor === 0n) return true
  return false
}

// With a key of small order, anyone can create signatures that verify. RFC 8032 §5.1.3: a `y` that is not below the prime is not a point.
function whyWeakEd25519(x: unknown): string | undefined {
  const bytes = decodeKey(x)
  if (bytes?.length !== FIELD_BYTES) return 'Ed25519 keys need 32 bytes in base64url'
  const y = integer(bytes.toReversed()) & (2n ** 255n - 1n)
  return y >= P || SMALL_ORDER.has(y) ? 'Ed25519 keys must be points of large order' : undefined
}

// RFC 7518 §3.2.
function whyWeakSecret(k: unknown): string | undefined {
  const bytes = decodeKey(k)
  if (bytes === undefined || bytes.length < LEAST_HMAC_BYTES)
    return `HMAC keys must have at least ${LEAST_HMAC_BYTES * 8} bits in base64url`
  return bytes.every((byte) => byte === bytes[0]) ? 'the HMAC key repeats one byte: use random bytes' : undefined
}

function integerOf(text: unknown): bigint | undefined {
  // No valid key is this long, so it is not parsed as a number.
  if (typeof text !== 'string' || text.length > MOST_RSA_BITS) return undefined
  const bytes = decodeKey(text)
  return bytes && integer(bytes)
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(bytes)}`)
}
