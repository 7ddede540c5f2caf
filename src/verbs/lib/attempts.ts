import { aboutToken } from '../../activity/about-token.js'
import type { Attempt } from '../../activity/attempts.js'
import { type Code, isLatchkeyError, type LatchkeyError } from '../../errors.js'
import type { Attempted } from '../../model/attempted.js'
import type { MaybePromise } from '../../model/json.js'
import { normalizeIp } from '../../policy/network.js'
import { toPlain, whyNotPlain } from '../../policy/plain-text.js'
import type { Filtered } from '../../store/compile-filter.js'
import { isTokenId } from '../../token/parse.js'
import { redact } from '../../token/redact.js'
import type { Context } from '../../verify/context.js'
import { TokenPrincipal } from '../../verify/principal.js'
import { type ReadActor, SYSTEM } from './actor.js'

/** Whom a request is from that names nobody. */
const NOBODY = 'anonymous'
const MAX_ID = 200

/** The subject of a refused call: the token that it named, or the input that may name a tenant. */
export type Target = { readonly id?: unknown; readonly input?: unknown }

// Which token a refusal was about, for those that were thrown after the actor's right to see it was checked.
const subjects: WeakMap<LatchkeyError, Filtered> = new WeakMap()

/** Runs a step of a change to a token that the actor may see, so that its refusal tells which token it was about. */
export async function concerning<T>(token: Filtered, step: () => MaybePromise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw about(error, token)
  }
}

/** The error, which from now on tells that it was about this token. */
export function about<E>(error: E, token: Filtered | undefined): E {
  if (token !== undefined && isLatchkeyError(error)) subjects.set(error, token)
  return error
}

/**
 * Records that a verb refused its actor. Bad input, conflicts and outages are no refusals, and the application itself is refused nothing but what exceeds its
 * own limits.
 */
export function noteRefused(context: Context, actor: ReadActor, verb: string, error: unknown, target: Target): void {
  if (!isLatchkeyError(error)) return
  if (error.code === 'not_found') noteOutOfReach(context, actor, verb, target)
  const denied = error.code === 'grant_denied' && actor !== SYSTEM
  if (!denied && error.code !== 'token_limit_reached') return
  const subject = subjects.get(error)
  const told = subject === undefined ? aboutTarget(actor, { input: target.input }) : aboutToken(subject)
  note(context, { actorId: actor.id, attempt: verb, code: error.code, field: error.field, about: told, ip: actor.ip })
}

/**
 * Records that an actor asked for what lies outside of its reach, whether or not there is such a thing: so that its own administrators learn no more than it
 * does. For whoever reaches everything, what is not found is not there.
 */
export function noteOutOfReach(context: Context, actor: ReadActor, verb: string, target: Target): void {
  if (actor.tenants === undefined && actor.manages === 'all') return
  note(context, { actorId: actor.id, attempt: verb, code: 'not_found', about: aboutTarget(actor, target), ip: actor.ip })
}

/** Records a request that was refused before it came to a verb. */
export function noteAttempted(context: Context, { attempt, code, field, ip, actor, principal }: Attempted): void {
  const shared = { attempt, code: code as Code, field, ip: actor?.ip ?? ip }
  if (principal !== undefined) {
    const entry = TokenPrincipal.entryOf(principal)
    const { kind, tokenId, tenantId } = principal
    // Whom another system names may be called like a token of ours, and in whatever characters.
    if (entry !== undefined) note(context, { ...shared, actorId: `token:${entry.id}`, about: aboutToken(entry) })
    else note(context, { ...shared, actorId: `${kind}:${shownId(tokenId)}`, about: isPlain(tenantId) ? { tenantId } : {} })
  } else if (actor === undefined) note(context, { ...shared, actorId: NOBODY, about: {} })
  else note(context, { ...shared, actorId: actor.id, about: homeOf(actor.tenants === '*' ? undefined : actor.tenants) })
}

// A tenant that the actor does not reach is not told: its trail is not for strangers to write into.
function aboutTarget(actor: ReadActor, { id, input }: Target): Attempt['about'] {
  const tenantId = tenantIn(input)
  const token = typeof id === 'string' && isTokenId(id) ? { tokenId: id } : {}
  const reached = tenantId !== undefined && (actor.tenants === undefined || actor.tenants.includes(tenantId))
  return { ...token, ...(reached ? { tenantId } : homeOf(actor.tenants)) }
}

function tenantIn(input: unknown): string | undefined {
  try {
    const tenantId: unknown = Reflect.get(Object(input), 'tenantId')
    return typeof tenantId === 'string' ? tenantId : undefined
  } catch {
    return undefined
  }
}

/** Where the actor's own administrators find it. */
function homeOf(tenants: readonly string[] | undefined): Pick<Attempt['about'], 'tenantId'> {
  const [only, ...more] = tenants ?? []
  return only === undefined || more.length > 0 ? {} : { tenantId: only }
}

function shownId(id: string | undefined): string {
  return toPlain(redact(toPlain(id ?? ''))).slice(0, MAX_ID)
}

function isPlain(tenantId: string | undefined): tenantId is string {
  return tenantId !== undefined && whyNotPlain(tenantId, 1, MAX_ID) === undefined
}

function note(context: Context, attempt: Attempt): void {
  context.attempts.note({ ...attempt, ip: normalizeIp(attempt.ip) }, context.settings.clock())
  context.scheduleFlush()
}
