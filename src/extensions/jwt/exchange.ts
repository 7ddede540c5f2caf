import { endpointName } from '../../activity/endpoint-name.js'
import { atOnce } from '../../http/at-once.js'
import { answerJson, answerProblem, readRawBody } from '../../http/fetch-answer.js'
import { limitedFields } from '../../http/rate-fields.js'
import type { RefusalDetails } from '../../http/refuse.js'
import { refuseUse, startUse, type Use, undoUse } from '../../http/use.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import type { Resources } from '../../model/json.js'
import type { Known } from '../../model/presenter.js'
import type { Principal, RateState } from '../../model/principal.js'
import type { Duration } from '../../model/record.js'
import { readClock } from '../../policy/instant.js'
import { membershipIn } from '../../policy/membership.js'
import { address, callback, duration, someText } from '../../policy/option-kinds.js'
import { objectOf, passing, readOption, someOf } from '../../policy/option-reader.js'
import { readResources, resourcesWithin } from '../../policy/resource.js'
import { newAllowance } from '../../store/deadline.js'
import { faultShape, readFaults } from '../../store/fault-options.js'
import { createReporter, type FaultOptions } from '../../store/reporter.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import { learnSigned } from '../../token/redact-signed.js'
import { claimsOf, endsAtSeconds, isAllowedFrom } from '../oauth/claims.js'
import { endpoint, oauthError, Refused } from '../oauth/client.js'
import { isSigningKey, refuseRepeated, type SigningKey } from './keys.js'
import { MAX_LENGTH } from './read-claims.js'
import { signClaims, signedLength } from './sign.js'

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const MAX_BYTES = 32 * 1024
const DEFAULT_SECONDS = 300
const MAX_SECONDS = 3600
const ENDPOINT = endpointName('POST', 'exchange')
const FORM = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i
const ONCE = [
  'grant_type',
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'audience',
  'scope',
  'resources',
  'actor_token',
] as const

/** Options of `exchange`. */
export type ExchangeOptions = {
  /** The `iss` of the tokens: a URL that your services know. */
  readonly issuer: string
  /** The audiences that tokens may be issued for. A request names one; if there is only one, it may omit it. */
  readonly audiences: readonly string[]
  /** The first key signs; the others are only published. Keep a key here until the tokens that it signed have expired. */
  readonly keys: readonly SigningKey[]
  /** The longest lifetime of a token, up to an hour; it never outlives its parent. @default '5m' */
  readonly expiresIn?: Duration
  /** Returns the caller's address, for tokens that are limited to addresses. */
  readonly ip?: (request: Request) => string | undefined
  /** Milliseconds since the epoch. @default Date.now */
  readonly clock?: () => number
}

const NO_KEYS = 'must be a list of at least one key from signingKey() or generateSigningKey()'

const keysReader = someOf(passing<SigningKey>(isSigningKey, 'must be a key from signingKey() or generateSigningKey()'), NO_KEYS)

const schema = objectOf({
  issuer: address(),
  audiences: someOf(someText(), 'must be a list of at least one audience'),
  keys: keysReader,
  expiresIn: duration({ max: MAX_SECONDS }).default(DEFAULT_SECONDS),
  ip: callback<NonNullable<ExchangeOptions['ip']>>().optional(),
  clock: callback<() => number>().optional(),
})

/**
 * Exchanges an API token for a signed, short-lived access token (RFC 8693, RFC 9068): the gateway makes one request, and the services behind it
 * verify offline.
 *
 * The signed token is for one audience, has at most the parent's scopes and resources, and expires no later than the parent.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function exchange<S extends string>(tokens: Latchkey<S>, options: ExchangeOptions): (request: Request) => Promise<Response> {
  const { issuer, audiences, keys, expiresIn, ip, clock = () => Date.now() } = readOption(schema, options, 'options')
  const [key] = keys
  refuseRepeated(keys.map(({ publicJwk }) => publicJwk))
  learnSigned()

  const inside = internalsOf(tokens)
  const { report, deadlineMs } = inside
  return endpoint('exchange', report, async (request) => {
    const form = await readForm(request)
    const audience = readAudience(form, audiences)
    const asked = readAsked(form)
    const address = atOnce('ip', ip?.(request))
    const allowance = newAllowance(inside)
    const subject = form.get('subject_token') ?? ''
    const verification = await inside.decide(subject, { method: 'POST', ...(address !== undefined && { ip: address }) })
    if (!verification.ok && verification.code === 'rate_limited') throw rateLimited(verification)
    // RFC 8693 §2.2.2: an invalid subject token is an invalid_request.
    if (!verification.ok) throw oauthError(400, 'invalid_request', 'the subject token is not valid')
    // Counted as allowed only once the signed token exists. In every other case, the use is refunded.
    const use = startUse(inside, verification.principal, address)
    use.routed(ENDPOINT)
    // Refused uses are refunded, so the token's limit would never stop the reads that they cause.
    if (use.refusalsSpent() !== undefined) refuseBeyond(verification.principal, asked, use)
    let isCharged = true
    try {
      // The signed token is later verified without the store, so it must reflect the primary's current state and not a cache.
      const parent = await inside.introspect(subject, allowance, partyOf(verification.principal))
      isCharged = false
      if (!parent.active || !isAllowedFrom(parent.record, address))
        throw oauthError(400, 'invalid_request', 'the subject token is not valid')
      const { record } = parent
      const now = readSeconds(clock)
      const exp = Math.min(now + expiresIn, endsAtSeconds(record, inside.settings.imports) ?? Number.POSITIVE_INFINITY)
      if (exp <= now) throw oauthError(400, 'invalid_request', 'the subject token is about to expire')
      refuseBeyond(parent, asked, use)
      const { scope = parent.scopes, resources = parent.resources } = asked
      const claims = {
        iss: issuer,
        ...claimsOf(record),
        aud: audience,
        iat: now,
        exp,
        jti: generateId(platformRandom),
        scope: scope.join(' '),
        parent: record.id,
        name: record.name,
        ...(record.ownerId !== undefined && { owner_id: record.ownerId }),
        ...(resources !== undefined && { resources }),
      }
      // Checked first, because the host may pay for each signature.
      if (signedLength(claims, key) > MAX_LENGTH) {
        // The length is known only after the read, so without refusals left, this use is not refunded either.
        const spent = use.refusalsSpent()
        isCharged = spent !== undefined
        if (spent !== undefined) throw beyond(spent)
        const why = 'the signed token would be too long to send: request fewer scopes or resources'
        throw refusedUse(use, resources === undefined ? 'scope_insufficient' : 'resource_denied', why, 'invalid_request')
      }
      const token = await signClaims(claims, key, { report, deadlineMs, leftMs: allowance.leftMs })
      if (scope.length > 0) use.required([...scope].sort().join(' '))
      use.done(ENDPOINT)
      // RFC 8693 §2.2.1
      return answerJson(200, {
        access_token: token,
        issued_token_type: ACCESS_TOKEN,
        token_type: 'Bearer',
        expires_in: exp - now,
        scope: scope.join(' '),
      })
    } catch (error) {
      // A flood of calls can make its own reads fail. Once the token has no refusals left, such a use is no longer refunded.
      if (!isCharged) undoUse(use)
      else if (use.refusalsSpent() === undefined) undoUse(use, 'lookup_failed')
      else use.forget()
      throw error
    }
  })
}

/** Returns the party under which the read of a token is queued. The token has been proven, so tenants behind one address do not have to wait for each other. */
function partyOf({ tokenId, tenantId, ownerId }: Principal): Known {
  const id = JSON.stringify(ownerId === undefined ? ['token', tokenId] : ['owner', tenantId, ownerId])
  return { id, group: tenantId === undefined ? 'tokens' : [tenantId] }
}

async function readForm(request: Request): Promise<URLSearchParams> {
  if (request.method !== 'POST') throw new Refused(answerProblem('method_not_allowed', 'send a form with POST', { allow: 'POST' }))
  if (!FORM.test(request.headers.get('content-type') ?? ''))
    throw oauthError(400, 'invalid_request', 'send application/x-www-form-urlencoded')
  const form = new URLSearchParams(new TextDecoder().decode(await readRawBody(request, MAX_BYTES)))
  for (const name of ONCE) {
    if (form.getAll(name).length > 1) throw oauthError(400, 'invalid_request', `${name} may be sent only once`)
  }
  if (form.get('grant_type') !== GRANT) throw oauthError(400, 'unsupported_grant_type', `grant_type must be ${GRANT}`)
  if ((form.get('subject_token') ?? '') === '') throw oauthError(400, 'invalid_request', 'subject_token is missing')
  if (form.get('subject_token_type') !== ACCESS_TOKEN)
    throw oauthError(400, 'invalid_request', `subject_token_type must be ${ACCESS_TOKEN}`)
  const requested = form.get('requested_token_type') ?? ACCESS_TOKEN
  if (requested !== ACCESS_TOKEN && requested !== JWT)
    throw oauthError(400, 'invalid_request', 'tokens of this requested_token_type cannot be issued')
  // RFC 8693 §2.1: actor_token_type must not come without an actor_token, and there is none here.
  if (form.has('actor_token') || form.has('actor_token_type')) throw oauthError(400, 'invalid_request', 'actor_token is not supported')
  return form
}

// RFC 8693 §2.2.2: invalid_target.
function readAudience(form: URLSearchParams, audiences: readonly string[]): string {
  const named = form.get('audience') ?? (audiences.length === 1 ? audiences[0] : undefined)
  if (named === undefined) throw oauthError(400, 'invalid_request', 'audience is missing')
  if (!audiences.includes(named) || form.has('resource'))
    throw oauthError(400, 'invalid_target', 'this server issues no tokens for this audience')
  return named
}

// `JSON.stringify` would turn an invalid end into `null`, which some services interpret as a token that never expires.
function readSeconds(clock: () => unknown): number {
  return Math.floor(readClock(clock, 'nothing can be signed') / 1000)
}

/** The narrower permissions that the client requests. */
type Asked = { readonly scope: readonly string[] | undefined; readonly resources: Resources | undefined }

// Read before the decision, because a malformed request says nothing about the token.
function readAsked(form: URLSearchParams): Asked {
  const scopes = form.get('scope')?.split(' ')
  const scope = scopes === undefined ? undefined : [...new Set(scopes)].filter((one) => one !== '')
  const json = form.get('resources')
  try {
    return { scope, resources: json === null ? undefined : readResources('resources', JSON.parse(json)) }
  } catch {
    throw oauthError(400, 'invalid_request', 'resources must be a JSON object of lists')
  }
}

/** Refuses a request for more than the subject token has. */
function refuseBeyond(held: Pick<Principal, 'scopes' | 'resources'>, { scope, resources }: Asked, use: Use): void {
  if (scope !== undefined && !scope.every(membershipIn(held.scopes, scope.length)))
    throw refusedUse(use, 'scope_insufficient', 'the subject token does not have all of these scopes')
  if (resources !== undefined && !resourcesWithin(resources, held.resources))
    throw refusedUse(use, 'resource_denied', 'the subject token does not have access to all of these resources')
}

/** Counts the use as refused, which uses up part of the token's refusal budget, and returns the answer. */
function refusedUse(
  use: Use,
  code: 'scope_insufficient' | 'resource_denied',
  description: string,
  error: string = code === 'scope_insufficient' ? 'invalid_scope' : 'invalid_request',
): Refused {
  const spent = refuseUse(use, code)
  use.done(ENDPOINT)
  return spent === undefined ? oauthError(400, error, description) : beyond(spent)
}

function beyond(spent: RateState): Refused {
  return rateLimited({ retryAfterSeconds: spent.resetSeconds, rates: [spent] })
}

function rateLimited({ retryAfterSeconds, rates }: Pick<RefusalDetails, 'retryAfterSeconds' | 'rates'>): Refused {
  return new Refused(answerProblem('rate_limited', 'too many requests', limitedFields(retryAfterSeconds, rates)))
}

const faultReader = objectOf(faultShape)

/**
 * Publishes the public keys (RFC 7517 §5): for `GET /.well-known/jwks.json`.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function jwks(keys: readonly SigningKey[], options: FaultOptions = {}): (request: Request) => Promise<Response> {
  const report = createReporter(readFaults(readOption(faultReader, options, 'options')))
  const published = readOption(keysReader, keys, 'keys').map(({ publicJwk }) => publicJwk)
  refuseRepeated(published)
  const body = JSON.stringify({ keys: published })
  return endpoint('publishKeys', report, async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return answerProblem('method_not_allowed', 'use GET', { allow: 'GET, HEAD' })
    return new Response(body, { headers: { 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=300' } })
  })
}
