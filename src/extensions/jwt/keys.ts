import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { InvalidInputError } from '../../errors.js'
import type { Jwk, WebCryptoKey } from './jwk.js'

/** The algorithms that signed tokens of this library come in. */
export type SigningAlgorithm = 'ES256' | 'EdDSA'

/** A key pair that signs. */
export type SigningKey = {
  /** Named in each token's header. */
  readonly kid: string
  readonly alg: SigningAlgorithm
  /** The part that `jwks` publishes, without the private key. */
  readonly publicJwk: Jwk
  /** Signs the bytes: raw `r` and `s` for ES256 (RFC 7518 §3.4), the 64 bytes of Ed25519 for EdDSA. */
  readonly sign: WebCryptoKey | ((bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array)
}

/** Input of `signingKey`: a private JWK, or the public one with a function that signs, as a key management service does. */
export type SigningKeyInput =
  | { readonly jwk: Jwk; readonly kid?: string }
  | { readonly publicJwk: Jwk; readonly sign: (bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array; readonly kid?: string }

/** A new key pair. It lives in this process only: where several nodes sign, give them the same keys. */
export async function generateSigningKey(alg: SigningAlgorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, alg === 'EdDSA' ? { crv: 'Ed25519' } : {})
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return { kid, alg, publicJwk: describe(publicJwk, kid, alg), sign: privateKey }
}

/**
 * A key pair that was given.
 *
 * @throws InvalidInputError `invalid_input`, for a key that is neither P-256 nor Ed25519, or lacks its private part
 */
export async function signingKey(input: SigningKeyInput): Promise<SigningKey> {
  if (typeof input !== 'object' || input === null) throw new InvalidInputError('input', 'must be { jwk }, or { publicJwk, sign }')
  const jwk = 'jwk' in input ? input.jwk : input.publicJwk
  const alg = algorithmOf(jwk)
  const publicJwk = publicPart(jwk)
  const kid = input.kid ?? jwk.kid ?? (await calculateJwkThumbprint(publicJwk))
  if (!('jwk' in input)) return { kid, alg, publicJwk: describe(publicJwk, kid, alg), sign: input.sign }
  if (typeof jwk.d !== 'string') throw new InvalidInputError('jwk', 'has no private part')
  const key = await importJWK(jwk, alg)
  if (key instanceof Uint8Array) throw new InvalidInputError('jwk', 'must be a private key, not a shared secret')
  return { kid, alg, publicJwk: describe(publicJwk, kid, alg), sign: key }
}

/** Was it made by `signingKey` or `generateSigningKey`? */
export function isSigningKey(value: unknown): boolean {
  const { kid, alg, publicJwk, sign } = Object(value) as { readonly [Name in keyof SigningKey]?: unknown }
  const signs = typeof sign === 'function' || (typeof sign === 'object' && sign !== null)
  return typeof kid === 'string' && (alg === 'ES256' || alg === 'EdDSA') && typeof publicJwk === 'object' && publicJwk !== null && signs
}

function algorithmOf(jwk: Jwk): SigningAlgorithm {
  if (jwk.kty === 'EC' && jwk.crv === 'P-256') return 'ES256'
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return 'EdDSA'
  throw new InvalidInputError('jwk', 'must be a P-256 key (ES256) or an Ed25519 key (EdDSA)')
}

/** The members of a public key, without the private ones. */
export function publicPart({ kty, crv, x, y }: Jwk): Jwk {
  return {
    ...(kty !== undefined && { kty }),
    ...(crv !== undefined && { crv }),
    ...(x !== undefined && { x }),
    ...(y !== undefined && { y }),
  }
}

function describe(publicJwk: Jwk, kid: string, alg: SigningAlgorithm): Jwk {
  return { ...publicPart(publicJwk), kid, alg, use: 'sig' }
}
