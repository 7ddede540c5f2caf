import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { say } from '../ui/toasts.js'
import { isStopped } from './able.js'

/**
 * Activates or deactivates a token, if it is still as shown here.
 *
 * @throws Problem 412, if someone else has changed it since; then nothing is changed
 */
export async function flip(token: Token): Promise<void> {
  const stopped = isStopped(token)
  try {
    await call('POST', `${token.id}/${stopped ? 'activate' : 'deactivate'}`, { version: token.version })
  } catch (error) {
    if (Problem.of(error).status !== 412) throw error
    // An earlier response was lost, and the only change since then is the requested one.
    const now = await call<Token>('GET', token.id)
    if (now.version !== token.version + 1 || isStopped(now) === stopped || now.status === 'revoked') throw error
  }
}

/**
 * Like `flip`, but also announces the result.
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
