import { isInvalidInput, StoreUnavailableError } from '../../errors.js'
import { atOnce } from '../../http/at-once.js'
import { answerJson, answerProblem, requireWebRequest, TooLargeError } from '../../http/fetch-answer.js'
import { secretsIn } from '../../http/secrets-in.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import type { LeakAction } from '../../model/event.js'
import type { TokenFormat } from '../../model/format.js'
import { ownActor, senderId } from '../../model/own-actor.js'
import { callback, plainText, safeAddress, wholeNumber } from '../../policy/option-kinds.js'
import { either, objectOf, oneOf, readOption, string } from '../../policy/option-reader.js'
import { type CallSite, callOut } from '../../store/deadline.js'
import { createIntake, NotReadError } from './intake.js'
import { type Fetch, KeyRing } from './key-ring.js'
import { labelFinds } from './label-finds.js'
import { type Find, readReport } from './read-report.js'
import { readSignature, verifySignature } from './signature.js'

/** The URL where GitHub publishes the keys that it signs its reports with. */
export const GITHUB_KEYS_URL = 'https://api.github.com/meta/public_keys/secret_scanning'

const MAX_BYTES = 8 * 1024 * 1024
const NO_MATCH = 'the signature does not match the report'
/** The maximum length of an identifier, far more than any sender uses. Unknown identifiers are remembered. */
const MAX_IDENTIFIER = 256
// RFC 9110 §5.1
const headerName = string('must be the name of a header').and(
  (name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name),
  'must be the name of a header',
)

/** Options of `leakReports`. The defaults are for GitHub; GitLab, PyPI and others use the same scheme under other names. */
export type LeakReportOptions = {
  /** The action for a token that is ours: one for all findings, or a function that decides for each. @default 'revoke' */
  readonly action?: LeakAction | ((find: { readonly type: string; readonly url: string; readonly source: string }) => LeakAction)
  /** The https URL where the sender publishes its keys. Loopback addresses may use http. @default GITHUB_KEYS_URL */
  readonly keysUrl?: string
  /** @default 'github-public-key-identifier' */
  readonly identifierHeader?: string
  /** @default 'github-public-key-signature' */
  readonly signatureHeader?: string
  /** Names the sender in the audit log, as the actor `leaks:github`. @default 'github' */
  readonly sender?: string
  /** @default 8 MiB */
  readonly maxBytes?: number
  /** Returns the caller's address, so that one address with many large reports does not block the others. */
  readonly ip?: (request: Request) => string | undefined
  /** @default the platform's */
  readonly fetch?: Fetch
}

const ACTIONS = ['revoke', 'deactivate', 'notify'] as const
const ACTION = "must be 'revoke', 'deactivate', 'notify', or a function of the reported finding"

const schema = objectOf({
  action: either([oneOf(ACTIONS, ACTION), callback<Exclude<LeakReportOptions['action'], LeakAction | undefined>>()], ACTION).default(
    'revoke',
  ),
  keysUrl: safeAddress().default(GITHUB_KEYS_URL),
  identifierHeader: headerName.default('github-public-key-identifier'),
  signatureHeader: headerName.default('github-public-key-signature'),
  sender: plainText(1, 64).default('github'),
  maxBytes: wholeNumber(1, 64 * 1024 * 1024).default(MAX_BYTES),
  ip: callback<NonNullable<LeakReportOptions['ip']>>('must be a function that returns the address of a request').optional(),
  fetch: callback<Fetch>().optional(),
})

/**
 * Creates a fetch handler for `POST` that receives the reports of a secret scanner, such as GitHub's partner program.
 *
 * The signature is verified over the received bytes before anything in them is read. Each finding that is one of our tokens is recorded in the audit log
 * with its URL, and acted on; the response says for each finding whether it was one of our tokens. Repeating a report changes nothing.
 *
 * If the host parses the body before this handler runs, the signed bytes are gone: the handler then responds with 500 and a message, and never
 * guesses.
 *
 * @throws InvalidInputError `invalid_input`, for invalid options
 * @example
 * ```ts
 * const report = leakReports(tokens, { action: 'revoke' })
 * const response = await report(request)
 * ```
 */
export function leakReports<S extends string>(
  tokens: Latchkey<S>,
  options: LeakReportOptions = {},
): (request: Request) => Promise<Response> {
  const { action, keysUrl, maxBytes, sender, identifierHeader, signatureHeader, ip, fetch: given } = readOption(schema, options, 'options')
  const { report, deadlineMs, settings } = internalsOf(tokens)
  const site: CallSite = { what: 'the action callback', where: 'endpoint', deadlineMs, report }
  const ring = new KeyRing(keysUrl, given ?? ((url, init) => fetch(url, init)), { report, deadlineMs })
  const intake = createIntake(maxBytes)
  const reporter = tokens.as(ownActor({ id: senderId(sender), tenants: '*', manages: 'all' }))

  async function act(find: Find): Promise<boolean> {
    const { token, type, url, source } = find
    const chosen = typeof action === 'function' ? await callOut(site, () => action({ type, url, source }), readAction) : action
    return (await reporter.reportLeak({ token, type, url, source, action: chosen })).known
  }

  function keysOf({ token }: Find): readonly string[] {
    return (settings.imports?.formats ?? []).flatMap((format) => {
      const key = readKey(format, token)
      return key === undefined ? [] : [`${format.name} ${key}`]
    })
  }

  async function receive(request: Request): Promise<Response> {
    if (request.method !== 'POST') return answerProblem('method_not_allowed', 'send reports with POST', { allow: 'POST' })
    if (request.bodyUsed || request.body === null) return alreadyRead()
    const identifier = request.headers.get(identifierHeader)
    const signature = request.headers.get(signatureHeader)
    if (identifier === null || signature === null) return answerProblem('credential_missing', 'the report is not signed')
    // All of this is checked before the body is read, because anyone can send a body, and make it megabytes long.
    if (Number(request.headers.get('content-length')) > maxBytes) throw new TooLargeError(maxBytes)
    if (identifier.length > MAX_IDENTIFIER || readSignature(signature) === undefined) return answerProblem('credential_malformed', NO_MATCH)
    const key = await ring.find(identifier)
    if (key === undefined) return answerProblem('credential_malformed', NO_MATCH)
    const bytes = await intake(request, atOnce('ip', ip?.(request)), async (read) => {
      // If a body parser ran first, the stream is empty.
      if (read.length === 0 && request.headers.get('content-length') !== '0') return alreadyRead()
      return (await verifySignature(key, signature, read)) ? read : answerProblem('credential_malformed', NO_MATCH)
    })
    return bytes instanceof Response ? bytes : answerJson(200, await labelFinds(await readReport(bytes), { act, keysOf, deadlineMs }))
  }

  return async function receiveLeakReport(request: Request, ...others: readonly unknown[]) {
    try {
      requireWebRequest(request, 'receiveLeakReport', others)
      return await receive(request)
    } catch (error) {
      if (error instanceof TooLargeError) return answerProblem('payload_too_large', `reports of up to ${maxBytes} bytes are accepted`)
      if (isInvalidInput(error)) return answerProblem('invalid_input', error.message)
      if (error instanceof NotReadError) return notRead(error)
      report('endpoint', error, () => secretsIn(request.headers, []))
      return answerProblem('store_unavailable', 'the report cannot be processed at the moment; send it again', { 'retry-after': '5' })
    }
  }
}

/** Any other answer must not leave a leaked token valid. The handler responds with 503, so the sender repeats the report. */
function readAction(answer: unknown): LeakAction {
  const action = ACTIONS.find((known) => known === answer)
  if (action === undefined) throw new StoreUnavailableError("the action callback must return 'revoke', 'deactivate' or 'notify'")
  return action
}

/** Returns the key in a finding. A format that fails is called again, and its failure is reported again, when the finding is processed. */
function readKey({ read }: TokenFormat, token: string): string | undefined {
  try {
    const claim: unknown = read(token)
    if (claim instanceof Promise) claim.catch(() => undefined)
    const key: unknown = Reflect.get(Object(claim), 'key')
    return typeof key === 'string' ? key : undefined
  } catch {
    return undefined
  }
}

function notRead({ why }: NotReadError): Response {
  return why === 'slow'
    ? answerProblem('invalid_input', 'the body took too long to arrive; send the report again')
    : answerProblem('rate_limited', 'too many reports at once; send the report again', { 'retry-after': '5' })
}

function alreadyRead(): Response {
  return answerProblem('misconfigured', 'the request body was already read, or is missing: mount this handler before any body parser')
}
