import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { say } from '../ui/toasts.js'
import { isStopped } from './able.js'

/**
 * Activates a token, or deactivates it, as it was seen here.
 *
 * @throws Problem 412, when somebody else changed it meanwhile; nothing is changed then
 */
export async function flip(token: Token): Promise<void> {
  const stopped = isStopped(token)
  try {
    await call('POST', `${token.id}/${stopped ? 'activate' : 'deactivate'}`, { version: token.version })
  } catch (error) {
    if (Problem.of(error).status !== 412) throw error
    // Its own answer was lost before: the one change since then is the one that was asked for.
    const now = await call<Token>('GET', token.id)
    if (now.version !== token.version + 1 || isStopped(now) === stopped || now.status === 'revoked') throw error
  }
}

/**
 * The same, and says what came of it.
 *
 * @throws Problem
 */
export async function flipAndSay(token: Token): Promise<void> {
  try {
    await flip(token)
    say(t(isStopped(token) ? 'lifecycle.activated' : 'lifecycle.deactivated'))
  } catch (error) {
    if (Problem.of(error).status !== 412) throw error
    say(t('lifecycle.stale'))
  }
}
