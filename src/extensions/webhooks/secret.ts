import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { Webhook } from 'standardwebhooks'

const KEY_BYTES = 32
const SALT = 'latchkey webhooks'

/** Signs for one endpoint. */
export type Signer = {
  /** What its receiver verifies with: `whsec_…`. */
  readonly secret: string
  /** The header `webhook-signature`: one signature of each key, newest first. */
  sign(id: string, at: Date, body: string): string
}

/** The signing keys of an endpoint, one of each of the host's keys (HKDF-SHA-256, RFC 5869): they tell nothing about each other, and stand nowhere. */
export function createSigner(webhookKeys: readonly Uint8Array[], prefix: string, endpoint: string): Signer {
  // A NUL stands in neither, so that no two pairs are the same text.
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
