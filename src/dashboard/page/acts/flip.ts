import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { say } from '../ui/toasts.js'
import { isStopped } from './able.js'

/**
 * Activates a token, or deactivates it, as it was seen here. When somebody else changed it meanwhile, it says so and changes nothing.
 *
 * @throws Problem
 */
export async function flip(token: Token): Promise<void> {
  const stopped = isStopped(token)
  try {
    await call('POST', `${token.id}/${stopped ? 'activate' : 'deactivate'}`, { version: token.version })
    say(t(stopped ? 'lifecycle.activated' : 'lifecycle.deactivated'))
  } catch (error) {
    if (Problem.of(error).status !== 412) throw error
    // Its own answer was lost before: the one change since then is the one that was asked for.
    const now = await call<Token>('GET', token.id)
    const done = now.version === token.version + 1 && isStopped(now) !== stopped && now.status !== 'revoked'
    say(t(!done ? 'lifecycle.stale' : stopped ? 'lifecycle.activated' : 'lifecycle.deactivated'))
  }
}
