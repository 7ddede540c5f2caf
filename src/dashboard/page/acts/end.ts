import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import type { Token } from '../lib/types.js'
import { alreadyText, type Who, whyRefused } from './already.js'

/**
 * Revokes a token. It reads the token first, because the server accepts a second revocation, which changes nothing.
 *
 * @param retry whether an earlier attempt by the user may have succeeded without a response
 * @throws Problem, including if someone else ended the token first
 */
export async function endToken(token: Token, reason: string, who: Who, retry = false): Promise<void> {
  const before = await call<Token>('GET', token.id).catch(() => undefined)
  const over = before?.revokedAt !== undefined && !retry
  const after = await call<Token>('POST', `${token.id}/revoke`, { body: reason === '' ? {} : { reason } }).catch(async (error: unknown) => {
    throw await whyRefused(error, token.id, 'revoke', who)
  })
  if (!over && after.revokedBy === who.me && after.revokedCode !== 'rotated') return
  const problem = new Problem(409, { code: 'conflict' })
  problem.told = await alreadyText(after, 'revoke', who)
  throw problem
}
