import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { Webhook } from 'standardwebhooks'

const KEY_BYTES = 32
const SALT = 'latchkey webhooks'

/** Signs events for one endpoint. */
export type Signer = {
  /** The secret that the receiver uses to verify signatures: `whsec_…`. */
  readonly secret: string
  /** Returns the header `webhook-signature` with one signature per key, newest first. */
  sign(id: string, at: Date, body: string): string
}

/**
 * Derives the signing keys of an endpoint, one from each of the host's keys (HKDF-SHA-256, RFC 5869). They reveal nothing about each other and are not stored.
 */
export function createSigner(webhookKeys: readonly Uint8Array[], prefix: string, endpoint: string): Signer {
  // Neither part contains a NUL, so different pairs always give different strings.
  const info = new TextEncoder().encode(`${prefix}\0${endpoint}`)
  const secrets = webhookKeys.map((key) => {
    const derived = hkdf(sha256, key, new TextEncoder().encode(SALT), info, KEY_BYTES)
    return `whsec_${Buffer.from(derived).toString('base64')}`
  })
  const hooks = secrets.map((secret) => new Webhook(secret))
  return {
    secret: secrets[0] ?? '',
    sign: (id, at, body) => hooks.map((hook) => hook.sign(id, at, body)).join(' '),
  }
}
