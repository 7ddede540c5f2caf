import { isBase62 } from './alphabet.js'
import { CHECKSUM_LENGTH, checksum, checksumMatches } from './checksum.js'
import type { Digester } from './digest.js'
import { generateSecret, type RandomSource } from './generate.js'
import { SECRET_LENGTH } from './parse.js'

const LENGTH = SECRET_LENGTH + CHECKSUM_LENGTH

/** Creates a ticket, a secret and a checksum, and its digest, which is all that a store may keep of the ticket. */
export function mintTicket(digester: Digester, prefix: string, random: RandomSource): { ticket: string; digest: string } {
  const secret = generateSecret(random)
  const digest = digestTicket(digester, prefix, secret)
  return { ticket: secret + checksum(digest), digest }
}

/**
 * Returns the digest of a ticket, and whether it was made with a pepper, which proves that this application created the ticket. Returns `undefined` if the
 * checksum fits none of the digesters. Such text needs no lookup in the store.
 */
export function readTicket(
  digesters: readonly Digester[],
  prefix: string,
  ticket: unknown,
): { readonly digest: string; readonly peppered: boolean } | undefined {
  if (typeof ticket !== 'string' || ticket.length !== LENGTH || !isBase62(ticket, 0, LENGTH)) return undefined
  for (const digester of digesters) {
    const digest = digestTicket(digester, prefix, ticket.slice(0, SECRET_LENGTH))
    if (checksumMatches(ticket, digest)) return { digest, peppered: digester.pepperId !== undefined }
  }
  return undefined
}

// The digested text contains characters that never occur in a token, so the digest is never that of a token.
function digestTicket(digester: Digester, prefix: string, secret: string): string {
  return digester.digest(`latchkey: ticket ${prefix} ${secret}`)
}
