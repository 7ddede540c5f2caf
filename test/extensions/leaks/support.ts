import { type KeyObject, sign } from 'node:crypto'
import { keyPair } from '../../support/keys.js'

type Changes = { readonly signature?: string; readonly identifier?: string; readonly signed?: string }

type Sender = { readonly fetches: number; fetch(): Promise<Response>; request(body: string, changes?: Changes): Request }

/** Creates a sender of leak reports with a key and the endpoint that publishes it. */
export const createSender = (identifier: string = 'key-1'): Sender => {
  const { privateKey, publicKey } = keyPair('P-256')
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  let fetches = 0
  const keys = [{ key_identifier: identifier, key: pem, is_current: true }]
  return {
    get fetches() {
      return fetches
    },
    fetch: async (): Promise<Response> => {
      fetches += 1
      return Response.json({ public_keys: keys, extra: 'unknown' })
    },
    request: (body: string, changes: Changes = {}): Request =>
      new Request('https://api.example/leaks', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'Github-Public-Key-Identifier': changes.identifier ?? identifier,
          'Github-Public-Key-Signature': changes.signature ?? signatureOf(privateKey, changes.signed ?? body),
        },
        body,
      }),
  }
}

/** The signature that a sender creates: ECDSA over SHA-256, as DER in base64. */
export const signatureOf = (key: KeyObject, text: string): string => sign('sha256', Buffer.from(text), key).toString('base64')
