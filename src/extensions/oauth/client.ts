import { answerJson, answerProblem, readRawBody, TooLargeError } from '../../http/fetch-answer.js'
import type { Internals } from '../../instance.js'
import { callback, someText } from '../../policy/option-kinds.js'
import type { OptionReader } from '../../policy/option-reader.js'
import { type CallSite, callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'

/** Who calls an endpoint for clients: a resource server, or an application. */
export type Client = {
  /** For the audit, as the actor `client:…`. */
  readonly id: string
  /** The tenants whose tokens it may ask about and revoke. */
  readonly tenants: readonly string[] | '*'
}

/** Says which client sends a request, by whatever credentials the host gave it; nothing for strangers. */
export type ClientOf = (request: Request) => Client | undefined | null | false | Promise<Client | undefined | null | false>

const MAX_BYTES = 16 * 1024
const FORM = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i

/** An answer in place of what was asked for. */
export class Refused extends Error {
  readonly response: Response

  constructor(response: Response) {
    super('refused')
    this.response = response
  }
}

/** An error of OAuth (RFC 6749 §5.2). */
export function oauthError(status: number, error: string, description: string, headers: Record<string, string> = {}): Refused {
  const response = answerJson(status, { error, error_description: description })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return new Refused(response)
}

/**
 * The client that sends the request (RFC 7662 §2.1, RFC 7009 §2.1).
 *
 * @throws Refused 401 `invalid_client` for strangers
 */
export async function authenticateClient(
  clientOf: ClientOf,
  request: Request,
  realm: string,
  { report, deadlineMs }: Pick<Internals, 'report' | 'deadlineMs'>,
): Promise<Client> {
  const site: CallSite = { what: 'the client callback', where: 'client', deadlineMs, report }
  const client = await callOut(site, () => clientOf(request), readClient)
  // RFC 6749 §5.2, RFC 9110 §15.5.2: a 401 carries a challenge.
  if (client === undefined)
    throw oauthError(401, 'invalid_client', 'say which client you are', { 'www-authenticate': `Basic realm="${realm}"` })
  return client
}

function readClient(answer: unknown): Client | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { id, tenants } = answer as Partial<Record<keyof Client, unknown>>
  if (typeof id !== 'string' || id === '') return undefined
  if (tenants === '*') return { id, tenants }
  return Array.isArray(tenants) && tenants.every((tenant) => typeof tenant === 'string') ? { id, tenants: [...tenants] } : undefined
}

/** The options that the endpoints for clients share. */
export const clientShape: { readonly client: OptionReader<ClientOf>; readonly realm: OptionReader<string> } = {
  client: callback<ClientOf>('must be a function that returns the client of a request, { id, tenants }, or undefined for strangers'),
  realm: someText().default('oauth'),
}

/** May this client know of a token of this tenant? */
export function mayKnow(client: Client, tenantId: string | undefined): boolean {
  return client.tenants === '*' || (tenantId !== undefined && client.tenants.includes(tenantId))
}

/**
 * The `token` of a form (RFC 7662 §2.1, RFC 7009 §2.1). A `token_type_hint` is a hint, and there is one type here.
 *
 * @throws Refused 400 `invalid_request`, 405, 413
 */
export async function readTokenForm(request: Request): Promise<string> {
  if (request.method !== 'POST') throw new Refused(answerProblem('method_not_allowed', 'send a form by POST', { allow: 'POST' }))
  if (!FORM.test(request.headers.get('content-type') ?? '')) {
    throw oauthError(400, 'invalid_request', 'send application/x-www-form-urlencoded')
  }
  const form = new URLSearchParams(new TextDecoder().decode(await readRawBody(request, MAX_BYTES)))
  const given = form.getAll('token')
  // RFC 6749 §3.2: parameters must not be sent twice.
  if (given.length > 1 || form.getAll('token_type_hint').length > 1) throw oauthError(400, 'invalid_request', 'a parameter was sent twice')
  const [token = ''] = given
  if (token === '') throw oauthError(400, 'invalid_request', 'the parameter token is missing')
  return token
}

/** Makes a fetch handler that never rejects: whatever cannot be decided is a 503, which the host hears of. */
export function endpoint(
  name: string,
  report: Report,
  answer: (request: Request) => Promise<Response>,
): (request: Request) => Promise<Response> {
  const handler = async (request: Request): Promise<Response> => {
    try {
      return await answer(request)
    } catch (error) {
      if (error instanceof Refused) return error.response
      if (error instanceof TooLargeError) return answerProblem('payload_too_large', `forms of up to ${MAX_BYTES} bytes are accepted`)
      report('endpoint', error)
      return answerProblem('store_unavailable', 'the request cannot be decided at the moment', { 'retry-after': '1' })
    }
  }
  return Object.defineProperty(handler, 'name', { value: name })
}
