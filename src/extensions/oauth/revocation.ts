import { Budget } from '../../cache/budget.js'
import { answerProblem } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import { ownActor } from '../../model/own-actor.js'
import { callerOf } from '../../policy/network.js'
import { callback, wholeNumber } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { authenticateClient, type ClientOf, clientShape, endpoint, mayKnow, oauthError, Refused, readTokenForm } from './client.js'

/** How `revocation` is set up. */
export type RevocationOptions = {
  /** Which client asks; strangers get 401. */
  readonly client: ClientOf
  /** @default 'oauth' */
  readonly realm?: string
}

const schema = objectOf(clientShape)
const possessionSchema = objectOf({
  ip: callback<NonNullable<PossessionOptions['ip']>>('must be a function that returns the address of a request').optional(),
  perMinute: wholeNumber(1, 1_000_000).default(10),
})

const DONE = { status: 200, headers: { 'cache-control': 'no-store' } }

/**
 * Token revocation (RFC 7009): a client ends a token that it holds.
 *
 * Idempotent: a token that is unknown or revoked already is a 200 too (§2.2). 503 with `Retry-After` where it cannot be known (§2.2.1).
 */
export function revocation<S extends string>(tokens: Latchkey<S>, options: RevocationOptions): (request: Request) => Promise<Response> {
  const { client: clientOf, realm } = readOption(schema, options, 'options')
  const inside = internalsOf(tokens)
  const { identify, noteAttempt } = inside
  return endpoint('revoke', inside.report, async (request) => {
    const client = await authenticateClient(clientOf, request, realm, inside)
    const record = await identify(await readTokenForm(request))
    if (record === undefined) return new Response(null, DONE)
    // RFC 7009 §2.1: the client is told when the token is not its own; it holds it, so that gives nothing away.
    if (!mayKnow(client, record.tenantId)) {
      noteAttempt({ attempt: 'revoke', code: 'not_found', actor: { id: `client:${client.id}`, tenants: client.tenants, manages: 'all' } })
      throw oauthError(400, 'unauthorized_client', 'this token is not one of yours')
    }
    await tokens
      .as(ownActor({ id: `client:${client.id}`, tenants: '*', manages: 'all' }))
      .revoke(record.id, { reason: 'revoked by a client' })
    return new Response(null, DONE)
  })
}

/** How `revocationByPossession` is set up. */
export type PossessionOptions = {
  /** The caller's address, by which requests are limited. Absent or unknown: all callers share one budget. */
  readonly ip?: (request: Request) => string | undefined
  /** @default 10 */
  readonly perMinute?: number
}

/**
 * Revocation without credentials: whoever holds a token may end it, which is what somebody who found one should do.
 *
 * The form and the answers are those of RFC 7009, so nobody learns whether a token was good. Limited for each address (for
 * each /64 of IPv6): 429 beyond it.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function revocationByPossession<S extends string>(
  tokens: Latchkey<S>,
  options: PossessionOptions = {},
): (request: Request) => Promise<Response> {
  const { ip, perMinute } = readOption(possessionSchema, options, 'options')
  const { identify, report } = internalsOf(tokens)
  const budget = new Budget({ burst: perMinute, perSecond: perMinute / 60 })
  return endpoint('revokeByPossession', report, async (request) => {
    const caller = callerOf(ip?.(request)) ?? ''
    if (budget.spent(caller)) {
      throw new Refused(
        answerProblem('rate_limited', 'too many reports from this address', { 'retry-after': String(Math.ceil(60 / perMinute)) }),
      )
    }
    budget.spend(caller)
    const record = await identify(await readTokenForm(request))
    if (record !== undefined) {
      const holder = tokens.as(ownActor({ id: `token:${record.id}`, tenants: '*', manages: 'all' }))
      await holder.revoke(record.id, { reason: 'reported by a holder of the token' })
    }
    return new Response(null, DONE)
  })
}
