import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'

const publicKeyEncoding = { type: 'spki' as const, format: 'pem' as const }
const privateKeyEncoding = { type: 'pkcs8' as const, format: 'pem' as const }

export type KeyPair = { readonly privateKey: KeyObject; readonly publicKey: KeyObject }

/**
 * A new key pair.
 *
 * The keys are read from text. In Node 20, `export()` of a key that was generated as an object hangs forever if the job that generated it,
 * which holds the same lock, is garbage collected at that moment.
 */
export function keyPair(kind: 'P-256' | { readonly rsaBits: number }): KeyPair {
  const made =
    kind === 'P-256'
      ? generateKeyPairSync('ec', { namedCurve: kind, publicKeyEncoding, privateKeyEncoding })
      : generateKeyPairSync('rsa', { modulusLength: kind.rsaBits, publicKeyEncoding, privateKeyEncoding })
  return { privateKey: createPrivateKey(made.privateKey), publicKey: createPublicKey(made.publicKey) }
}
