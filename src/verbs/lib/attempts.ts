import { aboutToken } from '../../activity/about-token.js'
import type { Attempt } from '../../activity/attempts.js'
import { type Code, isLatchkeyError, type LatchkeyError } from '../../errors.js'
import type { Attempted } from '../../model/attempted.js'
import type { MaybePromise } from '../../model/json.js'
import { ownFields } from '../../model/own-fields.js'
import { callerOf, normalizeIp } from '../../policy/network.js'
import { supplied } from '../../policy/option-reader.js'
import { toPlain, whyNotPlain } from '../../policy/plain-text.js'
import type { Filtered } from '../../store/compile-filter.js'
import { isTokenId } from '../../token/parse.js'
import { redact } from '../../token/redact.js'
import type { Context } from '../../verify/context.js'
import { namedBy, TokenPrincipal } from '../../verify/principal.js'
import { type ReadActor, reachOf, SYSTEM } from './actor.js'

/** Actor ID of a request that identifies no actor. */
const NOBODY = 'anonymous'
const MAX_ID = 200

/** The subject of a refused call: the token that it named, or the input that may name a tenant. */
export type Target = { readonly id?: unknown; readonly input?: unknown }

// The token of each refusal that was thrown after the actor's right to see the token was checked.
const subjects: WeakMap<LatchkeyError, Filtered> = new WeakMap()

/** Runs a step of a change to a token that the actor can see. Links a refusal to that token. */
export async function concerning<T>(token: Filtered, step: () => MaybePromise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw about(error, token)
  }
}

/** Links the error to this token and returns the error. */
export function about<E>(error: E, token: Filtered | undefined): E {
  if (token !== undefined && isLatchkeyError(error)) subjects.set(error, token)
  return error
}

/**
 * Records that a verb refused an actor. Invalid input, outages, and conflicts other than `token_limit_reached` are not refusals. For the application
 * itself, only `token_limit_reached` counts.
 */
export function noteRefused(context: Context, actor: ReadActor, verb: string, error: unknown, given: Target): void {
  if (!isLatchkeyError(error)) return
  const target = ownFields(given)
  if (error.code === 'not_found') noteOutOfReach(context, actor, verb, target)
  const denied = error.code === 'grant_denied' && actor !== SYSTEM
  if (!denied && error.code !== 'token_limit_reached') return
  const subject = subjects.get(error)
  const told = subject === undefined ? aboutInput(actor, target.input) : aboutToken(subject)
  const field = Object.hasOwn(error, 'field') ? error.field : undefined
  note(context, { ...by(actor), attempt: verb, code: error.code, field, about: told })
}

/**
 * Records that an actor asked for something outside its reach, whether or not it exists, because the actor's own administrators must not learn more than the
 * actor. Does nothing for an actor with access to everything, because a token that it cannot find does not exist.
 */
export function noteOutOfReach(context: Context, actor: ReadActor, verb: string, target: Target): void {
  if (reachOf(actor) === 'all') return
  const { id, input } = ownFields(target)
  const outOfReach = typeof id === 'string' && isTokenId(id) ? id : undefined
  note(context, { ...by(actor), attempt: verb, code: 'not_found', about: aboutInput(actor, input), outOfReach })
}

/** Records a request that was refused before it reached a verb. */
export function noteAttempted(context: Context, attempted: Attempted): void {
  const { attempt, code, field, ip, actor: given, principal } = ownFields(attempted)
  const actor = given && ownFields(given)
  const shared = { attempt, code: code as Code, field, ip: actor?.ip ?? ip }
  if (principal !== undefined) {
    const entry = TokenPrincipal.entryFor(principal, context.signalOf)
    const { kind, tokenId, tenantId, ownerId } = namedBy(principal)
    // A principal from another system or instance may have the same ID as one of our tokens, and its ID may contain any characters.
    const actorId = entry === undefined ? `${kind === 'token' ? 'foreign' : kind}:${shownId(tokenId)}` : `token:${entry.id}`
    // Whose credential it is, without which `erase` would not find what a person did with it.
    const actorOwnerId = shownId(ownerId) || undefined
    const told = { ...(isPlain(tenantId) && { tenantId }), ...(actorOwnerId !== undefined && { ownerId: actorOwnerId }) }
    note(context, { ...shared, actorId, actorOwnerId, from: actorId, about: entry === undefined ? told : aboutToken(entry) })
  } else if (actor === undefined) note(context, { ...shared, actorId: NOBODY, from: callerOf(ip) ?? '', about: {} })
  else {
    const tenants = actor.tenants === '*' ? undefined : actor.tenants
    note(context, { ...shared, ...by({ id: actor.id, tenants, ip: shared.ip }), about: homeOf(tenants) })
  }
}

/** Actors with the same ID in different tenants are different people; an actor in several tenants is one person. */
function by({ id, tenants, ip }: Pick<ReadActor, 'id' | 'tenants' | 'ip'>): Pick<Attempt, 'actorId' | 'from' | 'ip'> {
  return { actorId: id, from: JSON.stringify([id, tenants?.slice(0, 10).map((tenantId) => tenantId.slice(0, MAX_ID))]), ip }
}

// Omits a tenant that the actor cannot access, because outsiders must not be able to write into its trail.
function aboutInput(actor: ReadActor, input: unknown): Attempt['about'] {
  const tenantId = tenantIn(input)
  const reached = tenantId !== undefined && (actor.tenants === undefined || actor.tenants.includes(tenantId))
  return reached ? { tenantId } : homeOf(actor.tenants)
}

function tenantIn(input: unknown): string | undefined {
  try {
    const tenantId = supplied<{ readonly tenantId?: unknown }, 'tenantId'>(Object(input), 'tenantId')
    return typeof tenantId === 'string' && isPlain(tenantId) ? tenantId : undefined
  } catch {
    return undefined
  }
}

/** Returns the tenant in which the actor's own administrators find the attempt. No token can be in a tenant whose ID is too long for a store. */
function homeOf(tenants: readonly string[] | undefined): Pick<Attempt['about'], 'tenantId'> {
  const [only, ...more] = tenants ?? []
  return more.length === 0 && isPlain(only) ? { tenantId: only } : {}
}

function shownId(id: string | undefined): string {
  return toPlain(redact(toPlain(id ?? ''))).slice(0, MAX_ID)
}

function isPlain(tenantId: string | undefined): tenantId is string {
  return tenantId !== undefined && whyNotPlain(tenantId, 1, MAX_ID) === undefined
}

function note(context: Context, given: Attempt): void {
  const attempt = ownFields(given)
  context.attempts.note(ownFields({ ...attempt, ip: normalizeIp(attempt.ip) }), context.settings.clock())
  context.scheduleFlush()
}
