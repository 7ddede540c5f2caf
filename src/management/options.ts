import type { Dashboard } from '../dashboard/index.js'
import { type CredentialSource, createCredentialReader } from '../http/credential.js'
import type { Actor } from '../model/actor.js'
import type { MaybePromise } from '../model/json.js'
import type { Duration } from '../model/record.js'
import { callback, duration, wholeNumber } from '../policy/option-kinds.js'
import { anything, listOf, objectOf, passing, readOption, string } from '../policy/option-reader.js'
import { refuseUndefined } from '../policy/read-input.js'
import type { ManagementRateLimitOptions } from '../rate-limit/model.js'
import { Rates } from '../rate-limit/rates.js'
import { readManagementRateLimit } from '../rate-limit/read-options.js'
import type { Report } from '../store/reporter.js'

/** A tenant or an owner, as people know it. */
export type NamedId = { readonly id: string; readonly name?: string | undefined }

/** The options of `management`, beside `actor`, which the adapters add. */
export type ManagementOptions = {
  /** The largest body that is read, in bytes. @default 65536 */
  readonly maxBodyBytes?: number | undefined
  /** How long the `actor` callback and the limits of `rateLimit` may take together. @default the `deadline` of the instance */
  readonly deadline?: Duration | undefined
  /** Origins whose pages may call the API, such as `https://admin.example.com`: they get CORS headers, and their changes are accepted. @default [] */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Where tokens stand, as `authenticate` reads them, for `/self` and for refusing tokens everywhere else. @default 'bearer' */
  readonly credential?: CredentialSource | readonly CredentialSource[] | undefined
  /** Names the protected space in the challenges of `/self`. @default 'api' */
  readonly realm?: string | undefined
  /** How many calls an actor may make, counted by limiters of rate-limiter-flexible; also how many a token may make about itself. @default no limit */
  readonly rateLimit?: ManagementRateLimitOptions | undefined
  /**
   * The tenants that this person may choose among, with their names: answered by `GET /tenants`, and cut to those that the actor acts in.
   *
   * @default those of the actor's newest tokens, without names
   */
  readonly tenants?: ((actor: Actor) => MaybePromise<readonly NamedId[]>) | undefined
  /**
   * The owners that this person may choose among, with their names: answered by `GET /owners`.
   *
   * @default those of the actor's newest tokens, without names
   */
  readonly owners?: ((actor: Actor) => MaybePromise<readonly NamedId[]>) | undefined
  /** The page at `GET /` for browsers: `dashboard({ … })` of `latchkey/dashboard`. @default none */
  readonly dashboard?: Dashboard | undefined
}

/** The options as the rest reads them. */
export type ManagementSettings = {
  readonly maxBodyBytes: number
  readonly deadlineMs: number
  readonly allowedOrigins: ReadonlySet<string>
  readonly credential: readonly CredentialSource[]
  /** The names of the header fields in which a token may stand. */
  readonly credentialFields: readonly string[]
  readonly realm: string | undefined
  readonly rates: Rates | undefined
  readonly dashboard: Dashboard | undefined
  readonly tenants: ManagementOptions['tenants']
  readonly owners: ManagementOptions['owners']
}

const origin = string().and(isOrigin, 'must be an origin (scheme and host), such as https://admin.example.com')

const names = callback<NonNullable<ManagementOptions['tenants']>>('must be a function of the actor that returns a list of { id, name }')

const schema = objectOf({
  maxBodyBytes: wholeNumber(1024, 16_777_216).optional(),
  deadline: duration({ min: 0.01, max: 300, fraction: true }).optional(),
  allowedOrigins: listOf(origin, { error: 'must be a list of origins' }).optional(),
  credential: anything,
  realm: string().optional(),
  rateLimit: anything,
  tenants: names.optional(),
  owners: names.optional(),
  dashboard: passing<Dashboard>(isDashboard, 'must be the result of dashboard({ … }) from latchkey/dashboard').optional(),
})

/**
 * Checks and completes the options.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readManagementOptions(options: unknown, report: Report, instanceDeadlineMs: number): ManagementSettings {
  const given = readOption(schema, options, 'options')
  refuseUndefined(options, ['rateLimit'])
  const deadlineMs = given.deadline === undefined ? instanceDeadlineMs : given.deadline * 1000
  const credential = [(given.credential ?? 'bearer') as CredentialSource | readonly CredentialSource[]].flat()
  return Object.freeze({
    maxBodyBytes: given.maxBodyBytes ?? 65_536,
    deadlineMs,
    allowedOrigins: new Set(given.allowedOrigins ?? []),
    credential,
    credentialFields: createCredentialReader(credential).fields,
    realm: given.realm,
    rates:
      given.rateLimit === undefined
        ? undefined
        : new Rates(readManagementRateLimit(given.rateLimit), { deadlineMs, monotonic: () => performance.now() }, report),
    dashboard: given.dashboard,
    tenants: given.tenants,
    owners: given.owners,
  })
}

// By its shape, not by its class: the page is a bundle of its own.
function isDashboard(value: unknown): boolean {
  const { page, asset, assets } = Object(value) as { page?: unknown; asset?: unknown; assets?: unknown }
  return typeof page === 'function' && typeof asset === 'function' && Array.isArray(assets)
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value && /^https?:/.test(value)
}
