import { createGuard } from '../../http/authenticate.js'
import { answerJson, answerProblem } from '../../http/fetch-answer.js'
import type { AuthenticateOptions } from '../../http/options.js'
import { undoUse } from '../../http/use.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import { holderActor } from '../../model/own-actor.js'
import type { Principal } from '../../model/principal.js'
import type { TokenRecord } from '../../model/record.js'
import { callback } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { type Allowance, newAllowance } from '../../store/deadline.js'
import { endpoint } from './client.js'

/** Options of `whoami`: those of `authenticate`, and how to find the caller's address. */
export type WhoamiOptions = Pick<AuthenticateOptions<Request>, 'credential' | 'realm' | 'errorBody'> & {
  readonly ip?: (request: Request) => string | undefined
}

/** The other options are validated where requests are guarded. */
const schema = objectOf(
  { ip: callback<NonNullable<WhoamiOptions['ip']>>('must be a function that returns the address of a request').optional() },
  { others: 'keep' },
)

/**
 * Describes a token to its holder: `GET` with the token returns its name, tenant, effective scopes, and expiry.
 *
 * An invalid token is refused as everywhere else.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function whoami<S extends string>(tokens: Latchkey<S>, options: WhoamiOptions = {}): (request: Request) => Promise<Response> {
  const { ip, ...guarded } = readOption(schema, options, 'options')
  const guard = createGuard<Request>(tokens, guarded, {
    read: (request) => ({ method: request.method, headers: request.headers, ip: ip?.(request) }),
    headers: (request) => request.headers,
    trustsProxy: () => undefined,
  })
  const inside = internalsOf(tokens)
  const recordOf = async (principal: Principal, allowance: Allowance): Promise<TokenRecord | undefined> => {
    const holder = inside.holderOf(principal)
    return holder && (await inside.actAs(holderActor(holder), undefined, allowance).handle.get(holder.tokenId))
  }
  return endpoint('whoami', inside.report, async (request) => {
    const allowance = newAllowance(inside)
    if (request.method !== 'GET' && request.method !== 'HEAD') return answerProblem('method_not_allowed', 'use GET', { allow: 'GET, HEAD' })
    const { principal, use, response } = await guard(request)
    if (response !== undefined) return new Response(response.body, response)
    if (principal === undefined) return answerProblem('store_unavailable', 'nothing was decided', { 'retry-after': '1' })
    use?.routed('GET whoami')
    const record = await recordOf(principal, allowance).catch((error: unknown) => {
      undoUse(use)
      throw error
    })
    use?.done('GET whoami')
    return answerJson(200, {
      ...principal,
      ...(record !== undefined && { hint: record.hint, status: record.status, createdAt: record.createdAt }),
      ...(record?.expiresAt !== undefined && { expiresAt: record.expiresAt }),
    })
  })
}
