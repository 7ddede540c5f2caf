import { compactVerify, createLocalJWKSet } from 'jose'
import { InvalidInputError } from '../../errors.js'
import type { VerifySignature } from '../../model/audit.js'
import type { Jwk } from '../jwt/jwk.js'
import { algorithmOf, describeKey, isSigningKey, SIGNING_ALGORITHMS, type SigningKey } from '../jwt/keys.js'
import { signCompact } from '../jwt/sign.js'

/** A distinct `typ`, so that neither a seal's signature nor a signed token can pass for the other. */
const TYPE = 'latchkey-seal'
const KEYS = 'must be a complete public JWK (P-256 or Ed25519) or a list of them'

/**
 * Signs seals, for the `sealing.sign` option: the signature is a JWS in compact form (RFC 7515 §7.1) over the hash of the seal.
 *
 * The key comes from `signingKey` or `generateSigningKey` of `latchkey/jwt`: an Ed25519 or P-256 key, or a function that calls a key management
 * service.
 *
 * @throws InvalidInputError `invalid_input`, field `key`
 * @example
 * ```ts
 * const key = await signingKey({ jwk: JSON.parse(process.env.SEAL_KEY) })
 * const tokens = latchkey({ prefix, store, scopes, sealing: { sign: sealSigner(key) } })
 * ```
 */
export function sealSigner(key: SigningKey): (hash: string) => Promise<string> {
  if (!isSigningKey(key)) throw new InvalidInputError('key', 'must come from signingKey() or generateSigningKey()')
  return (hash) => signCompact(hash, TYPE, key, UNTOLD)
}

// The `sealing.sign` option already has a deadline and reports its errors.
const UNTOLD = { deadlineMs: Number.POSITIVE_INFINITY, report: () => undefined }

/**
 * Verifies the signatures of seals, for `verifySignature`: against any of these public keys, including old ones that no longer sign.
 *
 * @throws InvalidInputError `invalid_input`, field `keys`
 */
export function sealVerifier(keys: Jwk | readonly Jwk[]): VerifySignature {
  const given: readonly Jwk[] = Array.isArray(keys) ? keys : [keys]
  if (given.length === 0) throw new InvalidInputError('keys', KEYS)
  // A set for each key, because a set refuses to choose between two keys with the same `kid`, and an archive of old keys may contain the current one.
  const known = given.map((jwk) => readKey(jwk).then((key) => createLocalJWKSet({ keys: [key] })))
  for (const key of known) key.catch(() => undefined)
  return async (hash, signature) => {
    const verifications = known.map((key) => isSignedBy(key, hash, signature))
    return (await Promise.all(verifications)).includes(true)
  }
}

async function isSignedBy(key: Promise<ReturnType<typeof createLocalJWKSet>>, hash: string, signature: string): Promise<boolean> {
  try {
    const { payload, protectedHeader } = await compactVerify(signature, await key, { algorithms: [...SIGNING_ALGORITHMS] })
    return protectedHeader.typ === TYPE && new TextDecoder().decode(payload) === hash
  } catch {
    return false
  }
}

// Refused immediately: with an unusable key, every valid signature would look forged.
function readKey(jwk: Jwk): ReturnType<typeof describeKey> {
  const alg = algorithmOf(jwk)
  if (alg === undefined) throw new InvalidInputError('keys', KEYS)
  return describeKey(jwk, alg, jwk.kid)
}
