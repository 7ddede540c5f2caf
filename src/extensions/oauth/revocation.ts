import { CallerBudget } from '../../cache/caller-budget.js'
import { namesOf } from '../../cache/guessing.js'
import { atOnce } from '../../http/at-once.js'
import { answerProblem } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import { ownActor } from '../../model/own-actor.js'
import { callback, wholeNumber } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { newAllowance } from '../../store/deadline.js'
import { type ClientOf, clientShape, endpoint, mayKnow, oauthError, Refused, readClientForm, readTokenForm } from './client.js'

/** Options of `revocation`. */
export type RevocationOptions = {
  /** Identifies the client; unknown clients get a 401. */
  readonly client: ClientOf
  /** Returns the caller's address, which the audit log records. */
  readonly ip?: (request: Request) => string | undefined
  /** @default 'oauth' */
  readonly realm?: string
}

const ipShape = callback<NonNullable<PossessionOptions['ip']>>('must be a function that returns the address of a request').optional()
const schema = objectOf({ ...clientShape, ip: ipShape })
const possessionSchema = objectOf({
  ip: ipShape,
  perMinute: wholeNumber(1, 1_000_000).default(10),
})

const DONE = { status: 200, headers: { 'cache-control': 'no-store' } }

/**
 * Token revocation (RFC 7009): a client revokes a token that it holds.
 *
 * Idempotent: an unknown or already revoked token also gets a 200 (§2.2). If that cannot be decided, the response is 503 with `Retry-After` (§2.2.1).
 */
export function revocation<S extends string>(tokens: Latchkey<S>, options: RevocationOptions): (request: Request) => Promise<Response> {
  const { client: clientOf, realm, ip } = readOption(schema, options, 'options')
  const inside = internalsOf(tokens)
  const { identify, noteAttempt } = inside
  return endpoint('revoke', inside.report, async (request) => {
    const address = atOnce('ip', ip?.(request))
    const allowance = newAllowance(inside)
    const { client, token } = await readClientForm(clientOf, request, realm, inside, allowance)
    const record = await identify(token, allowance, { id: `client:${client.id}` }, ({ tenantId }) => mayKnow(client, tenantId))
    if (record === undefined) return new Response(null, DONE)
    // RFC 7009 §2.1: tell the client that the token is not its own. It already holds the token, so this reveals nothing.
    if (!mayKnow(client, record.tenantId)) {
      noteAttempt({
        attempt: 'revoke',
        code: 'not_found',
        ip: address,
        actor: { id: `client:${client.id}`, tenants: client.tenants, manages: 'all' },
      })
      throw oauthError(400, 'unauthorized_client', 'this token is not one of yours')
    }
    const { handle } = inside.actAs(ownActor({ id: `client:${client.id}`, tenants: '*', manages: 'all' }), address, allowance)
    await handle.revoke(record.id, { reason: 'revoked by a client' })
    return new Response(null, DONE)
  })
}

/** Options of `revocationByPossession`. */
export type PossessionOptions = {
  /** Returns the caller's address, by which requests are rate limited and which the audit log records. Absent or unknown: all callers share one limit. */
  readonly ip?: (request: Request) => string | undefined
  /**
   * The number of requests that an address may make at once, and the number that it regains each minute. So it can make up to twice as many requests in its
   * first minute. @default 10
   */
  readonly perMinute?: number
}

/**
 * Revocation without client credentials: anyone who holds a token may revoke it, and someone who finds a leaked token should.
 *
 * Requests and responses are those of RFC 7009, so no caller learns whether a token was valid. Rate limited per address (per /64 for IPv6, and four times as
 * many per /48), with 429 beyond the limit.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function revocationByPossession<S extends string>(
  tokens: Latchkey<S>,
  options: PossessionOptions = {},
): (request: Request) => Promise<Response> {
  const { ip, perMinute } = readOption(possessionSchema, options, 'options')
  const inside = internalsOf(tokens)
  const budget = new CallerBudget({ burst: perMinute, perSecond: perMinute / 60 })
  return endpoint('revokeByPossession', inside.report, async (request) => {
    const address = atOnce('ip', ip?.(request))
    const caller = namesOf(address)
    if (budget.spent(caller)) {
      throw new Refused(
        answerProblem('rate_limited', 'too many revocation requests from this address', {
          'retry-after': String(Math.ceil(60 / perMinute)),
        }),
      )
    }
    budget.spend(caller)
    const allowance = newAllowance(inside)
    const { body: token } = await readTokenForm(request, allowance)
    const record = await inside.identify(token, allowance, address)
    if (record !== undefined) {
      // One caller may hold any number of tokens, so requests are queued by caller, not by token.
      const holder = inside.actAs(ownActor({ id: `token:${record.id}`, tenants: '*', manages: 'all' }), address, allowance, address)
      await holder.handle.revoke(record.id, { reason: 'reported by a holder of the token' })
    }
    return new Response(null, DONE)
  })
}
