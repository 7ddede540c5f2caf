import { isBase62 } from './alphabet.js'
import type { Digester } from './digest.js'
import { SECRET_LENGTH } from './parse.js'

/** Returns whether this has the form of a ticket: 43 base62 digits. Anything else needs no lookup in the store. */
export function isTicket(text: unknown): text is string {
  return typeof text === 'string' && text.length === SECRET_LENGTH && isBase62(text, 0, SECRET_LENGTH)
}

/** Returns the digest of a ticket. The digested text contains characters that never occur in a token, so the digest is never that of a token. */
export function digestTicket(digester: Digester, prefix: string, ticket: string): string {
  return digester.digest(`latchkey: ticket ${prefix} ${ticket}`)
}
