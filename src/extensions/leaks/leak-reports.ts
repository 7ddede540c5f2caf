import { isInvalidInput } from '../../errors.js'
import { answerJson, answerProblem, readRawBody, TooLargeError } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import type { LeakAction } from '../../model/event.js'
import { address, callback, plainText, wholeNumber } from '../../policy/option-kinds.js'
import { either, objectOf, oneOf, readOption, string } from '../../policy/option-reader.js'
import { type Fetch, KeyRing } from './key-ring.js'
import { type Find, readReport } from './read-report.js'
import { verifySignature } from './signature.js'

/** Where GitHub publishes the keys that it signs its reports with. */
export const GITHUB_KEYS_URL = 'https://api.github.com/meta/public_keys/secret_scanning'

const MAX_BYTES = 8 * 1024 * 1024
const AT_ONCE = 64
// RFC 9110 §5.1
const headerName = string('must be the name of a header').and(
  (name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name),
  'must be the name of a header',
)

/** How `leakReports` is set up. The defaults are GitHub's; GitLab, PyPI and others use the same scheme under other names. */
export type LeakReportOptions = {
  /** The action for a token that is ours: one for all finds, or a function of each find. @default 'revoke' */
  readonly action?: LeakAction | ((find: { readonly type: string; readonly url: string; readonly source: string }) => LeakAction)
  /** Where the sender publishes its keys. @default GITHUB_KEYS_URL */
  readonly keysUrl?: string
  /** @default 'github-public-key-identifier' */
  readonly identifierHeader?: string
  /** @default 'github-public-key-signature' */
  readonly signatureHeader?: string
  /** Names the sender in the audit, as the actor `leaks:github`. @default 'github' */
  readonly sender?: string
  /** @default 8 MiB */
  readonly maxBytes?: number
  /** @default the platform's */
  readonly fetch?: Fetch
}

const ACTIONS = ['revoke', 'deactivate', 'notify'] as const
const ACTION = "must be 'revoke', 'deactivate', 'notify', or a function of the find"

const schema = objectOf({
  action: either([oneOf(ACTIONS, ACTION), callback<Exclude<LeakReportOptions['action'], LeakAction | undefined>>()], ACTION).default(
    'revoke',
  ),
  keysUrl: address().default(GITHUB_KEYS_URL),
  identifierHeader: headerName.default('github-public-key-identifier'),
  signatureHeader: headerName.default('github-public-key-signature'),
  sender: plainText(1, 64).default('github'),
  maxBytes: wholeNumber(1, 64 * 1024 * 1024).default(MAX_BYTES),
  fetch: callback<Fetch>().optional(),
})

/**
 * Receives the reports of a secret scanner (GitHub's partner programme): a fetch handler for `POST`.
 *
 * The signature is verified over the bytes as they came, before anything in them is read. Each find that is one of our tokens is put into the
 * audit with its address, and acted on; the answer says of each whether it was one. Sent again, a report changes nothing.
 *
 * A host that parses bodies before this handler has destroyed what was signed: that is answered with 500 and a message, never with a guess.
 *
 * @throws InvalidInputError `invalid_input`, for unsound options
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
  const { action, keysUrl, maxBytes, sender, identifierHeader, signatureHeader, fetch: given } = readOption(schema, options, 'options')
  const { report, deadlineMs } = internalsOf(tokens)
  const ring = new KeyRing(keysUrl, given ?? ((url, init) => fetch(url, init)), { report, deadlineMs })
  const reporter = tokens.as({ id: `leaks:${sender}`, tenants: '*', manages: 'all' })

  async function act(find: Find): Promise<boolean> {
    const { token, type, url, source } = find
    const chosen = typeof action === 'function' ? action({ type, url, source }) : action
    return (await reporter.reportLeak({ token, type, url, source, action: chosen })).known
  }

  async function receive(request: Request): Promise<Response> {
    if (request.method !== 'POST') return answerProblem('method_not_allowed', 'reports come by POST', { allow: 'POST' })
    if (request.bodyUsed || request.body === null) return alreadyRead()
    const identifier = request.headers.get(identifierHeader)
    const signature = request.headers.get(signatureHeader)
    if (identifier === null || signature === null) return answerProblem('credential_missing', 'the report is not signed')
    const bytes = await readRawBody(request, maxBytes)
    // A server whose body parser came first hands on an empty stream.
    if (bytes.length === 0 && request.headers.get('content-length') !== '0') return alreadyRead()
    const key = await ring.find(identifier)
    if (key === undefined || !(await verifySignature(key, signature, bytes))) {
      return answerProblem('credential_malformed', 'the signature does not match the report')
    }
    const finds = readReport(bytes)
    return answerJson(200, await labels(finds, act))
  }

  return async function receiveLeakReport(request) {
    try {
      return await receive(request)
    } catch (error) {
      if (error instanceof TooLargeError) return answerProblem('payload_too_large', `reports of up to ${maxBytes} bytes are accepted`)
      if (isInvalidInput(error)) return answerProblem('invalid_input', error.message)
      report('endpoint', error)
      return answerProblem('store_unavailable', 'the report cannot be processed at the moment; send it again', { 'retry-after': '5' })
    }
  }
}

function alreadyRead(): Response {
  return answerProblem('misconfigured', 'something read the body before latchkey, or is missing: mount this handler before any body parser')
}

/** The sender's feedback format: each token by its hash, never by its text. */
async function labels(finds: readonly Find[], act: (find: Find) => Promise<boolean>): Promise<readonly unknown[]> {
  const answers: unknown[] = []
  for (let from = 0; from < finds.length; from += AT_ONCE) {
    const batch = finds.slice(from, from + AT_ONCE)
    answers.push(
      ...(await Promise.all(
        batch.map(async (find) => ({
          token_hash: await hashOf(find.token),
          token_type: find.type,
          label: (await act(find)) ? 'true_positive' : 'false_positive',
        })),
      )),
    )
  }
  return answers
}

async function hashOf(token: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return btoa(String.fromCharCode(...new Uint8Array(hash)))
}
