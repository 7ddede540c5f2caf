import { isInvalidInput, isLatchkeyError, LatchkeyError } from '../../errors.js'
import { answerJson, answerProblem, readRawBody, requireWebRequest, TooLargeError } from '../../http/fetch-answer.js'
import { type Received, receive } from '../../http/late-body.js'
import { secretsIn } from '../../http/secrets-in.js'
import type { Internals } from '../../instance.js'
import { callback, plainText, someText } from '../../policy/option-kinds.js'
import { type OptionReader, objectOf, readOption } from '../../policy/option-reader.js'
import { type Allowance, type CallSite, callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import { tenantsReader } from '../../verbs/lib/actor.js'

/** The caller of a client endpoint: a resource server or an application. */
export type Client = {
  /** Recorded in the audit log as the actor `client:…`. */
  readonly id: string
  /** The tenants whose tokens it may query and revoke. */
  readonly tenants: readonly string[] | '*'
}

/** Returns the client that sent a request, identified by the credentials that the host issued to it, or nothing if it is unknown. */
export type ClientOf = (request: Request) => Client | undefined | null | false | Promise<Client | undefined | null | false>

const MAX_BYTES = 16 * 1024
const FORM = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i

/** An error that carries the response to send. */
export class Refused extends Error {
  readonly response: Response

  constructor(response: Response) {
    super('refused')
    this.response = response
  }
}

/** Creates an OAuth error (RFC 6749 §5.2). */
export function oauthError(status: number, error: string, description: string, headers: Record<string, string> = {}): Refused {
  const response = answerJson(status, { error, error_description: description })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return new Refused(response)
}

/** Identifies the client that sent the request, again if the form arrives late, and reads the form. */
export async function readClientForm(
  clientOf: ClientOf,
  request: Request,
  realm: string,
  inside: Pick<Internals, 'report' | 'deadlineMs'>,
  allowance: Allowance,
): Promise<{ readonly client: Client; readonly token: string }> {
  const identified = (): Promise<Client> => authenticateClient(clientOf, request, realm, inside, allowance)
  const client = await identified()
  const { body: token, isLate } = await readTokenForm(request, allowance)
  return { client: isLate ? await identified() : client, token }
}

/**
 * Identifies the client that sent the request (RFC 7662 §2.1, RFC 7009 §2.1).
 *
 * @throws Refused 401 `invalid_client`, for an unknown client
 */
async function authenticateClient(
  clientOf: ClientOf,
  request: Request,
  realm: string,
  { report, deadlineMs }: Pick<Internals, 'report' | 'deadlineMs'>,
  allowance: Allowance,
): Promise<Client> {
  const site: CallSite = {
    what: 'the client callback',
    where: 'client',
    deadlineMs,
    leftMs: allowance.leftMs,
    report,
    secrets: () => secretsIn(request.headers, []),
  }
  const client = await callOut(
    site,
    () => clientOf(request),
    (answer) => readClient(answer, (where, error) => report(where, error, () => secretsIn(request.headers, []))),
  )
  // RFC 6749 §5.2, RFC 9110 §15.5.2: a 401 carries a challenge.
  if (client === undefined)
    throw oauthError(401, 'invalid_client', 'identify your client', { 'www-authenticate': `Basic realm="${realm}"` })
  return client
}

// The audit log shows the ID as `client:…`, and an actor's ID has at most 200 characters.
const clientReader = objectOf({ id: plainText(1, 193), tenants: tenantsReader }, { others: 'drop' })

function readClient(answer: unknown, report: Report): Client | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  try {
    return readOption(clientReader, answer, 'client()')
  } catch (error) {
    if (!isInvalidInput(error)) throw error
    // Otherwise the client would learn only that it is unknown, and the host would learn nothing.
    const expected = 'client() must return { id, tenants }, with an ID and a list of tenants or "*", or undefined'
    report('client', new LatchkeyError('misconfigured', `${expected} (${error.message})`))
    return undefined
  }
}

/** The options shared by all client endpoints. */
export const clientShape: { readonly client: OptionReader<ClientOf>; readonly realm: OptionReader<string> } = {
  client: callback<ClientOf>('must be a function that returns the client of a request, { id, tenants }, or undefined if it has none'),
  realm: someText().default('oauth'),
}

/** Checks whether this client may know about a token of this tenant. */
export function mayKnow(client: Client, tenantId: string | undefined): boolean {
  return client.tenants === '*' || (tenantId !== undefined && client.tenants.includes(tenantId))
}

/**
 * Reads the `token` of a form (RFC 7662 §2.1, RFC 7009 §2.1). `token_type_hint` is ignored, because there is only one type of token.
 *
 * @throws Refused 400 `invalid_request`, 405, 413
 */
export async function readTokenForm(request: Request, allowance: Allowance): Promise<Received<string>> {
  if (request.method !== 'POST') throw new Refused(answerProblem('method_not_allowed', 'send a form with POST', { allow: 'POST' }))
  if (!FORM.test(request.headers.get('content-type') ?? '')) {
    throw oauthError(400, 'invalid_request', 'send application/x-www-form-urlencoded')
  }
  const { body, isLate } = await receive(allowance, () => readRawBody(request, MAX_BYTES))
  const form = new URLSearchParams(new TextDecoder().decode(body))
  const given = form.getAll('token')
  // RFC 6749 §3.2: parameters must not be sent twice.
  if (given.length > 1 || form.getAll('token_type_hint').length > 1) throw oauthError(400, 'invalid_request', 'a parameter was sent twice')
  const [token = ''] = given
  if (token === '') throw oauthError(400, 'invalid_request', 'the token parameter is missing')
  return { body: token, isLate }
}

/** Creates a fetch handler that never rejects. If no decision is possible, it responds with 503 and reports the error to the host. */
export function endpoint(
  name: string,
  report: Report,
  answer: (request: Request) => Promise<Response>,
): (request: Request) => Promise<Response> {
  const handler = async (request: Request, ...others: readonly unknown[]): Promise<Response> => {
    try {
      requireWebRequest(request, name, others)
      return await answer(request)
    } catch (error) {
      if (error instanceof Refused) return error.response
      if (error instanceof TooLargeError) return answerProblem('payload_too_large', `forms of up to ${error.maxBytes} bytes are accepted`)
      if (isLatchkeyError(error) && error.code === 'rate_limited') {
        return answerProblem('rate_limited', error.message, { 'retry-after': String(error.retryAfterSeconds) })
      }
      report('endpoint', error, () => secretsIn(request.headers, []))
      return answerProblem('store_unavailable', 'the request cannot be processed right now', { 'retry-after': '1' })
    }
  }
  return Object.defineProperty(handler, 'name', { value: name })
}
