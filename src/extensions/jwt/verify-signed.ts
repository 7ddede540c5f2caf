import { type CompactJWSHeaderParameters, compactVerify, errors, type FlattenedJWSInput } from 'jose'
import type { Standing } from '../../cache/standing.js'
import { InvalidInputError, isLatchkeyError, type RefusalCode } from '../../errors.js'
import { readIdentity } from '../../http/host-principal.js'
import { secretsIn } from '../../http/secrets-in.js'
import { AUTHENTICATOR, type Decider, internalsOf, type Latchkey, registerDecider } from '../../instance.js'
import type { MaybePromise, Resources } from '../../model/json.js'
import type { Verification, VerifyContext } from '../../model/principal.js'
import type { Duration } from '../../model/record.js'
import { callback, duration, someText } from '../../policy/option-kinds.js'
import { either, listOf, type OptionOf, objectOf, oneOf, passing, readOption } from '../../policy/option-reader.js'
import { refuseUndefined } from '../../policy/read-input.js'
import { readResources } from '../../policy/resource.js'
import type { ResourceMode } from '../../policy/resource-mode.js'
import { isSafeAddress } from '../../policy/safe-address.js'
import { type CallSite, callOut } from '../../store/deadline.js'
import { faultShape, readFaults } from '../../store/fault-options.js'
import { wholeMilliseconds } from '../../store/host-clock.js'
import { createReporter, type FaultOptions, type Report } from '../../store/reporter.js'
import { learnSigned } from '../../token/redact-signed.js'
import { isAllowedFrom } from '../oauth/claims.js'
import type { Verifier } from './accept.js'
import { decideAndCount } from './decide-and-count.js'
import type { JwkSet } from './jwk.js'
import { createFetchJson, discoverKeys, type Fetch, type KeySource, localKeys, remoteKeys } from './key-source.js'
import { refuseRepeated } from './keys.js'
import { type Claims, claimedIssuer, isGoodHeader, looksSigned, readClaims } from './read-claims.js'
import { type Identity, narrowedBy, SignedPrincipal } from './signed-principal.js'

const HOUR_SECONDS = 3600
/** The deadline without an instance that sets one. */
const DEADLINE_MS = 2000
const DEFAULT_SKEW_SECONDS = 5
const MAX_SKEW_SECONDS = 60
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'HS256'] as const

/** An issuer's keys: given directly, at a URL, or found through its metadata. */
export type KeysInput = JwkSet | { readonly url: string } | 'discover'

/** Options that all verifiers of signed tokens share. */
export type VerifierOptions = FaultOptions & {
  /** The expected `iss`, compared character by character. */
  readonly issuer: string
  /** The audiences of this service: at least one of the token's `aud` values must be among them. */
  readonly audience: string | readonly string[]
  readonly keys: KeysInput
  /** The longest accepted lifetime of a token, from `iat` to `exp`. @default '1h' for `verifySigned`, '1d' for `foreignTokens` */
  readonly maxLifetime?: Duration
  /** Tolerance for clock skew, at most a minute. `verifySigned` applies it only to `iat` and `nbf`, never to `exp`. @default '5s' */
  readonly clockTolerance?: Duration
  /** @default the platform's */
  readonly fetch?: Fetch
  /** Milliseconds since the epoch. @default Date.now */
  readonly clock?: () => number
}

/** Options of `verifySigned`. */
export type VerifySignedOptions = VerifierOptions & {
  /**
   * An instance that uses the store in which the API tokens are kept. A signed token is then refused once this node learns that its parent is no longer
   * valid. Without this option, a signed token stays valid until its own expiry.
   */
  readonly strict?: Latchkey
}

/** Options of `foreignTokens`. */
export type ForeignTokenOptions = VerifierOptions & {
  /** The algorithms that the identity provider signs with; others are refused. @default ['RS256'] */
  readonly algorithms?: readonly string[]
  /** The `typ` of its access tokens. @default ['at+jwt', 'jwt'] */
  readonly types?: readonly string[]
  /**
   * Returns the principal for the verified claims, or `null` to refuse. Omit `tenantId`, `resources` or `allowedIps` if there is no such limit. An explicit
   * `undefined` is treated as a lost value, and the request is answered with 503.
   */
  readonly principal: (claims: Readonly<Record<string, unknown>>) => Identity | null
}

const AUDIENCE = 'must name this service: a string, or a list of at least one string'
const KEYS = "must be { keys: [...] }, { url }, or 'discover'"

const shape = {
  issuer: someText('must be the iss claim of the tokens'),
  audience: either([someText(), listOf(someText(), { min: 1 })], AUDIENCE),
  keys: passing<KeysInput>(isKeysInput, KEYS),
  maxLifetime: duration().optional(),
  clockTolerance: duration({ min: 0, max: MAX_SKEW_SECONDS, fraction: true }).default(DEFAULT_SKEW_SECONDS),
  fetch: callback<Fetch>().optional(),
  clock: callback<() => number>().optional(),
  ...faultShape,
}
const sharedReader = objectOf(shape)
const signedReader = objectOf({
  ...shape,
  strict: passing<Latchkey>((value) => typeof value === 'object' && value !== null, 'must be the result of latchkey(options)').optional(),
})
const foreignReader = objectOf({
  ...shape,
  algorithms: listOf(oneOf(ALGORITHMS, `must be one of ${ALGORITHMS.join(', ')}`), {
    error: `must be one or more of ${ALGORITHMS.join(', ')}`,
    min: 1,
  }).default(['RS256']),
  types: listOf(someText(), { min: 1, range: 'must not be empty' }).default(['at+jwt', 'jwt']),
  principal: callback<ForeignTokenOptions['principal']>('must be a function of the claims'),
})

/** The validated options of a verifier. */
type Checked = OptionOf<typeof sharedReader>

type Rules = {
  readonly algorithms: readonly string[]
  readonly types: readonly string[]
  readonly maxLifetime: number
  readonly identify: (claims: Claims) => Identity | null
  /** Returns the current permissions of the parent API token. Called last. */
  readonly parent: ((identity: Identity, ip: string | undefined, leftMs: number) => MaybePromise<Standing>) | undefined
  /** How long a decision may take, unless the authenticator that includes this verifier has a deadline. */
  readonly deadlineMs: number
  /** How to treat a route that does not name the data to which a token is limited. */
  readonly resources: ResourceMode | undefined
  /** The reporter of the instance. Absent: the verifier uses its own. */
  readonly report: Report | undefined
}

/**
 * Verifies the tokens that `exchange` signs, offline, for the services behind a gateway. Pass it to `authenticate` instead of an instance.
 *
 * Algorithms are pinned, `typ` must be `at+jwt`, and `iss`, `aud`, `exp`, `iat`, `sub`, `client_id` and `jti` are required (RFC 9068 §2.2, §4).
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * const signed = verifySigned({ issuer: 'https://auth.example', audience: 'stock', keys: { url: 'https://auth.example/.well-known/jwks.json' } })
 * app.use('/api', authenticate(signed))
 * ```
 */
export function verifySigned(options: VerifySignedOptions): Verifier {
  const { strict: given, ...rest } = readOption(signedReader, options, 'options')
  // Without `strict`, a signed token can outlive its parent, so a lost value must not go unnoticed.
  refuseUndefined(options, ['strict'])
  const strict = given === undefined ? undefined : internalsOf(given)
  return createVerifier('signed', rest, {
    algorithms: ['ES256', 'EdDSA'],
    types: ['at+jwt'],
    maxLifetime: HOUR_SECONDS,
    identify: identityOf,
    parent: strict === undefined ? undefined : (identity, ip, leftMs) => strict.standing(identity.tokenId, ip, leftMs),
    deadlineMs: strict?.deadlineMs ?? DEADLINE_MS,
    resources: strict?.resources,
    report: rest.onError === undefined && rest.logger === undefined ? strict?.report : undefined,
  })
}

/**
 * Verifies the access tokens of an identity provider, such as Auth0, Keycloak or Entra: for APIs that serve people as well as integrations.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function foreignTokens(options: ForeignTokenOptions): Verifier {
  const { principal, algorithms, types, ...rest } = readOption(foreignReader, options, 'options')
  return createVerifier('foreign', rest, {
    algorithms,
    types: types.map((type) => type.toLowerCase()),
    maxLifetime: 24 * HOUR_SECONDS,
    identify: (claims) => principal(claims.all),
    parent: undefined,
    deadlineMs: DEADLINE_MS,
    resources: undefined,
    report: undefined,
  })
}

function createVerifier(kind: 'signed' | 'foreign', options: Checked, rules: Rules): Verifier {
  learnSigned()
  const { issuer, clockTolerance: skew, maxLifetime: longest = rules.maxLifetime } = options
  const clock = wholeMilliseconds(options.clock ?? (() => Date.now()))
  const audiences = [options.audience].flat()
  const report = rules.report ?? createReporter(readFaults(options))
  const findKey = sourceOf(options, report)
  const monotonic = (): number => performance.now()
  const principalSite: CallSite = { what: 'the principal callback', where: 'foreign', deadlineMs: rules.deadlineMs, report }

  // RFC 7519 §4.1.4 allows a leeway. Tokens that `exchange` signs get none: they expire no later than their parent, which gets none either.
  const endsAt = ({ exp }: Claims): number => (kind === 'signed' ? exp : exp + skew)

  async function decide(token: unknown, context?: VerifyContext, deadlineMs?: number): Promise<Verification> {
    if (!looksSigned(token)) return refused('token_malformed')
    if (!isGoodHeader(token, rules.algorithms, rules.types)) return refused('token_malformed')
    const dueAt = monotonic() + (deadlineMs ?? rules.deadlineMs)
    if (!(await isSigned(token, findKey, rules.algorithms, dueAt))) return refused('secret_mismatch')
    const claims = readClaims(token)
    if (claims === undefined || claims.iss !== issuer || !claims.aud.some((audience) => audiences.includes(audience)))
      return refused('token_unknown')
    const now = clock() / 1000
    if (!(now < endsAt(claims))) return refused('token_expired')
    if (!(claims.iat <= now + skew) || !(claims.iat <= claims.exp) || !(claims.exp - claims.iat <= longest)) return refused('token_unknown')
    if (claims.nbf !== undefined && !(claims.nbf <= now + skew)) return refused('token_not_yet_valid')
    const identity =
      kind === 'signed'
        ? rules.identify(claims)
        : await callOut(
            { ...principalSite, leftMs: dueAt - monotonic(), secrets: () => secretsIn(['authorization', `Bearer ${token}`], []) },
            () => rules.identify(claims),
            (answer) => (answer === null ? null : readIdentity(answer)),
          )
    if (identity === null) return refused('owner_denied')
    if (!isAllowedFrom(identity, context?.ip)) return refused('ip_denied')
    const parent = await rules.parent?.(identity, context?.ip, dueAt - monotonic())
    if (parent?.code !== undefined) {
      const { code, retryAfterSeconds } = parent
      return { ok: false, code, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
    }
    if (parent?.allowsIp !== undefined && !parent.allowsIp(context?.ip)) return refused('ip_denied')
    const narrowed = parent === undefined ? identity : narrowedBy(identity, parent)
    return { ok: true, principal: new SignedPrincipal(kind, narrowed, () => endsAt(claims) * 1000 - clock(), parent?.signal) }
  }

  // The use was counted when the API token was exchanged.
  const decider: Decider = {
    report,
    resources: rules.resources,
    decide,
    countUse: () => undefined,
    isOwn: (credential) => looksSigned(credential) && claimedIssuer(credential) === issuer,
  }
  const verifier: Verifier = Object.freeze({ [AUTHENTICATOR]: true as const, issuer, verify: decideAndCount(decider) })
  registerDecider(verifier, decider)
  return verifier
}

function sourceOf({ keys, issuer, fetch: given }: Checked, report: Report): KeySource {
  const fetchJson = createFetchJson(given ?? ((url, init) => fetch(url, init)), report)
  if (keys === 'discover') {
    if (!isSafeAddress(issuer)) throw new InvalidInputError('issuer', 'must be an https URL so that its keys can be discovered')
    return remoteKeys(discoverKeys(issuer, fetchJson), fetchJson, report)
  }
  if ('keys' in keys) {
    refuseRepeated(keys.keys)
    return localKeys(keys)
  }
  const { url } = keys
  if (!isSafeAddress(url)) throw new InvalidInputError('keys.url', 'must be an https address')
  return remoteKeys(() => Promise.resolve(url), fetchJson, report)
}

function isKeysInput(keys: unknown): boolean {
  if (typeof keys !== 'object' || keys === null) return keys === 'discover'
  return ('keys' in keys && Array.isArray(keys.keys)) || ('url' in keys && typeof keys.url === 'string')
}

async function isSigned(token: string, findKey: KeySource, algorithms: readonly string[], dueAt: number): Promise<boolean> {
  try {
    const options = { algorithms: [...algorithms] }
    await compactVerify(
      token,
      async (header: CompactJWSHeaderParameters, jws: FlattenedJWSInput) => {
        const key = await findKey(header, jws, dueAt)
        if (key === undefined) throw new errors.JWKSNoMatchingKey()
        return key
      },
      options,
    )
    return true
  } catch (error) {
    if (isLatchkeyError(error) && error.code === 'store_unavailable') throw error
    return false
  }
}

function identityOf({ all, jti, sub }: Claims): Identity | null {
  const { parent, name, tenant_id: tenantId, owner_id: ownerId, scope, client_id: clientId, allowed_ips: allowedIps } = all
  if (jti === undefined || typeof clientId !== 'string' || typeof scope !== 'string' || typeof parent !== 'string') return null
  // A tenant in an unreadable form must not become "every tenant".
  if ((tenantId !== undefined && typeof tenantId !== 'string') || (ownerId !== undefined && typeof ownerId !== 'string')) return null
  // Unreadable addresses must not become "any address".
  if (allowedIps !== undefined && !(Array.isArray(allowedIps) && allowedIps.every((entry) => typeof entry === 'string'))) return null
  let resources: Resources | undefined
  try {
    resources = all.resources === undefined ? undefined : readResources('resources', all.resources)
  } catch {
    return null
  }
  return {
    tokenId: parent,
    name: typeof name === 'string' ? name : sub,
    tenantId,
    ownerId,
    scopes: scope.split(' ').filter((word) => word !== ''),
    resources,
    allowedIps,
  }
}

function refused(code: RefusalCode): Verification {
  return { ok: false, code }
}
