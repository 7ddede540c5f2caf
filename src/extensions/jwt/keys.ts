import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { InvalidInputError } from '../../errors.js'
import type { Jwk, WebCryptoKey } from './jwk.js'
import { whyWeak } from './key-strength.js'

/** The algorithms of signed tokens. */
export type SigningAlgorithm = 'ES256' | 'EdDSA'

export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ['ES256', 'EdDSA']

/** A key pair for signing. */
export type SigningKey = {
  /** The key ID in each token's header. */
  readonly kid: string
  readonly alg: SigningAlgorithm
  /** The part that `jwks` publishes, without the private key. */
  readonly publicJwk: Jwk
  /** Signs the bytes: raw `r` and `s` for ES256 (RFC 7518 §3.4), the 64 bytes of Ed25519 for EdDSA. */
  readonly sign: WebCryptoKey | ((bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array)
}

/** Input of `signingKey`: a private JWK, or a public one with a function that signs, for example through a key management service. */
export type SigningKeyInput =
  | { readonly jwk: Jwk; readonly kid?: string }
  | { readonly publicJwk: Jwk; readonly sign: (bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array; readonly kid?: string }

/** Generates a new key pair. It exists only in this process, so if several nodes sign, give them all the same keys. */
export async function generateSigningKey(alg: SigningAlgorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, alg === 'EdDSA' ? { crv: 'Ed25519' } : {})
  const publicJwk = await exportJWK(publicKey)
  const described = await describeKey(publicJwk, alg, undefined)
  return { kid: described.kid, alg, publicJwk: described, sign: privateKey }
}

/**
 * Creates a `SigningKey` from an existing key.
 *
 * @throws InvalidInputError `invalid_input` if the key is neither P-256 nor Ed25519, or lacks its private part
 */
export async function signingKey(input: SigningKeyInput): Promise<SigningKey> {
  if (typeof input !== 'object' || input === null) throw new InvalidInputError('input', 'must be { jwk }, or { publicJwk, sign }')
  const jwk = 'jwk' in input ? input.jwk : input.publicJwk
  const alg = algorithmOf(jwk)
  if (alg === undefined) throw new InvalidInputError('jwk', 'must be a complete P-256 key (ES256) or Ed25519 key (EdDSA)')
  const publicJwk = await describeKey(jwk, alg, input.kid ?? jwk.kid)
  const { kid } = publicJwk
  if (!('jwk' in input)) return { kid, alg, publicJwk, sign: input.sign }
  if (typeof jwk.d !== 'string') throw new InvalidInputError('jwk', 'has no private part')
  const key = await importJWK(jwk, alg)
  if (key instanceof Uint8Array) throw new InvalidInputError('jwk', 'must be a private key, not a shared secret')
  return { kid, alg, publicJwk, sign: key }
}

/**
 * Refuses a list in which two keys of one kind have the same `kid`, because no header could then say which of them signed a token (RFC 7517 §4.5).
 *
 * @throws InvalidInputError `invalid_input`
 */
export function refuseRepeated(keys: readonly Jwk[]): void {
  for (const [at, { kid, kty }] of keys.entries()) {
    const first = keys.findIndex((other) => other.kid === kid && other.kty === kty)
    if (kid !== undefined && first < at) throw new InvalidInputError(['keys', at], `has the same kid as keys.${first}`)
  }
}

/** Checks whether `signingKey` or `generateSigningKey` could have created this value. */
export function isSigningKey(value: unknown): boolean {
  const { kid, alg, publicJwk, sign } = Object(value) as { readonly [Name in keyof SigningKey]?: unknown }
  const signs = typeof sign === 'function' || (typeof sign === 'object' && sign !== null)
  return (
    typeof kid === 'string' &&
    SIGNING_ALGORITHMS.some((known) => known === alg) &&
    typeof publicJwk === 'object' &&
    publicJwk !== null &&
    // `jwks` publishes it as it is.
    !('d' in publicJwk) &&
    signs
  )
}

// 32 bytes in base64url, the size for both curves (RFC 7518 §6.2.1.2, RFC 8037 §2).
const COORDINATE = /^[A-Za-z0-9_-]{43}$/

/** Returns the algorithm of a public key, or `undefined` for an incomplete key or an unsupported curve. */
export function algorithmOf(value: unknown): SigningAlgorithm | undefined {
  const { kty, crv, x, y } = Object(value) as { readonly [Name in keyof Jwk]?: unknown }
  if (!isCoordinate(x)) return undefined
  if (kty === 'EC' && crv === 'P-256' && isCoordinate(y)) return 'ES256'
  return kty === 'OKP' && crv === 'Ed25519' && whyWeak({ kty, crv, x }) === undefined ? 'EdDSA' : undefined
}

function isCoordinate(value: unknown): value is string {
  return typeof value === 'string' && COORDINATE.test(value)
}

/** Returns the published form of a key: without private members, and identified by its thumbprint (RFC 7638) unless it has a name. */
export async function describeKey({ kty = '', crv, x, y }: Jwk, alg: SigningAlgorithm, kid: string | undefined): Promise<Described> {
  const key = { kty, ...(crv !== undefined && { crv }), ...(x !== undefined && { x }), ...(y !== undefined && { y }) }
  return { ...key, kid: kid ?? (await calculateJwkThumbprint(key)), alg, use: 'sig' }
}

type Described = Jwk & { readonly kty: string; readonly kid: string; readonly alg: SigningAlgorithm }
