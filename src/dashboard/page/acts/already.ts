import { ago } from '../lib/ago.js'
import { call } from '../lib/api.js'
import { loadNames, type NamedList, useNames } from '../lib/names.js'
import { Problem } from '../lib/problem.js'
import { standingOf } from '../lib/status.js'
import { t } from '../lib/text.js'
import type { AuditEvent, Page, Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { say } from '../ui/toasts.js'

/** A change that someone else may already have made. */
export type Asked = 'revoke' | 'rotate' | 'deactivate' | 'activate' | 'edit'

/** The ID of the user, and the names of others. */
export type Who = { readonly me: string; readonly owners: NamedList | undefined }

export function useWho(): Who {
  const { owners } = useNames()
  return { me: useWorld().me.id, owners }
}

/** Returns the problem. If the change was refused because of what someone else did to the token, adds a sentence about that. */
export async function whyRefused(error: unknown, id: string, asked: Asked, who: Who): Promise<Problem> {
  const problem = Problem.of(error)
  if (problem.kind !== 'missing' && problem.code !== 'conflict') return problem
  try {
    problem.told = await alreadyText(await call<Token>('GET', id), asked, who)
  } catch (later) {
    if (Problem.of(later).kind === 'missing') problem.told = t('already.gone')
  }
  return problem
}

/** Tells the user what someone else did first. Throws any other problem. */
export function sayWhy(problem: Problem): void {
  if (problem.told === undefined) throw problem
  say(problem.told)
}

/** Returns a sentence about what someone else did to a token, if that is why the change cannot be made. */
export async function alreadyText(token: Token, asked: Asked, who: Who): Promise<string | undefined> {
  const { revokedAt, revokedBy, revokedCode, deactivatedAt, deactivatedBy } = token
  if (revokedAt !== undefined) return sentence(revokedCode === 'rotated' ? 'rotated' : 'revoked', revokedAt, revokedBy, who)
  if (asked === 'activate' && deactivatedAt === undefined) return eventText(token.id, 'activated', who)
  if (asked !== 'rotate' && asked !== 'deactivate') return undefined
  if (asked === 'rotate' && token.replacedById !== undefined) return eventText(token.id, 'rotated', who)
  if (deactivatedAt !== undefined) return sentence('deactivated', deactivatedAt, deactivatedBy, who)
  if (asked === 'rotate' && standingOf(token) === 'expired') return t('already.expired')
  return undefined
}

type What = 'revoked' | 'rotated' | 'deactivated' | 'activated'

async function eventText(id: string, what: 'rotated' | 'activated', who: Who): Promise<string> {
  const event = await lastEvent(id, what)
  return sentence(what, event?.at, event?.actorId, who)
}

/** Returns the last change of this kind, if it can be loaded. */
export async function lastEvent(id: string, what: What): Promise<AuditEvent | undefined> {
  const query = { limit: 1, action: [`token.${what}`] }
  const found = await call<Page<AuditEvent>>('GET', `${id}/events`, { query }).catch(() => undefined)
  return found?.items[0]
}

async function sentence(what: What, at: string | undefined, by: string | undefined, { owners }: Who): Promise<string> {
  if (at === undefined || by === undefined) return t('code.conflict')
  const names = await loadNames('owners', owners, [by])
  return t(`already.${what}`, { name: names.get(by) ?? by, time: ago(at) })
}
