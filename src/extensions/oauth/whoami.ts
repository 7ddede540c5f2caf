import { createGuard } from '../../http/authenticate.js'
import { answerJson, answerProblem } from '../../http/fetch-answer.js'
import type { AuthenticateOptions } from '../../http/options.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import { callback } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { endpoint } from './client.js'

/** How `whoami` is set up: as `authenticate` is, and where the caller's address is found. */
export type WhoamiOptions = Pick<AuthenticateOptions<Request>, 'credential' | 'realm' | 'errorBody'> & {
  readonly ip?: (request: Request) => string | undefined
}

/** The rest is read where requests are guarded. */
const schema = objectOf(
  { ip: callback<NonNullable<WhoamiOptions['ip']>>('must be a function that returns the address of a request').optional() },
  { others: 'keep' },
)

/**
 * Tells the holder of a token what it holds: `GET` with the token answers its name, tenant, scopes in force, and its end.
 *
 * A token that is not good is refused as everywhere else.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function whoami<S extends string>(tokens: Latchkey<S>, options: WhoamiOptions = {}): (request: Request) => Promise<Response> {
  const { ip, ...guarded } = readOption(schema, options, 'options')
  const guard = createGuard<Request>(tokens, guarded, {
    read: (request) => ({ method: request.method, headers: request.headers, ip: ip?.(request) }),
    trustsProxy: () => undefined,
  })
  return endpoint('whoami', internalsOf(tokens).report, async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answerProblem('method_not_allowed', 'ask by GET', { allow: 'GET, HEAD' })
    const { principal, use, response } = await guard(request)
    if (response !== undefined) return new Response(response.body, response)
    if (principal === undefined) return answerProblem('store_unavailable', 'nothing was decided', { 'retry-after': '1' })
    use?.done('GET whoami')
    const record = principal.tokenId === undefined ? undefined : await tokens.system.get(principal.tokenId)
    return answerJson(200, {
      ...principal,
      ...(record !== undefined && { hint: record.hint, status: record.status, createdAt: record.createdAt }),
      ...(record?.expiresAt !== undefined && { expiresAt: record.expiresAt }),
    })
  })
}
