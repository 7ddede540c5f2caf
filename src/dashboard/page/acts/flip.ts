import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { say } from '../ui/toasts.js'
import { isStopped } from './able.js'
import { lastEvent, type Who, whyRefused } from './already.js'

/**
 * Activates or deactivates a token, if it is still as shown here.
 *
 * @throws Problem 412, if someone else has changed it since; then nothing is changed
 */
export async function flip(token: Token, who: Who): Promise<void> {
  const stopped = isStopped(token)
  try {
    await call('POST', `${token.id}/${stopped ? 'activate' : 'deactivate'}`, { version: token.version })
  } catch (error) {
    if (Problem.of(error).status === 412 && (await isOwn(token, who))) return
    throw await whyRefused(error, token.id, stopped ? 'activate' : 'deactivate', who)
  }
}

/** Returns whether an earlier response was lost, and the only change since then is the one that the user requested. */
async function isOwn(token: Token, { me }: Who): Promise<boolean> {
  const now = await call<Token>('GET', token.id)
  if (now.version !== token.version + 1 || isStopped(now) === isStopped(token) || now.status === 'revoked') return false
  return (now.deactivatedBy ?? (await lastEvent(token.id, 'activated'))?.actorId ?? me) === me
}

/**
 * Like `flip`, but also announces the result.
 *
 * @throws Problem
 */
export async function flipAndSay(token: Token, who: Who): Promise<void> {
  try {
    await flip(token, who)
    say(t(isStopped(token) ? 'lifecycle.activated' : 'lifecycle.deactivated'))
  } catch (error) {
    const { told, status } = Problem.of(error)
    if (told === undefined && status !== 412) throw error
    say(told ?? t('lifecycle.stale'))
  }
}
