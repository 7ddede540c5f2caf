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
import type { Timing } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'

/** A tenant or an owner, with a human-readable name. */
export type NamedId = { readonly id: string; readonly name?: string | undefined }

/** The requested names: those with this text in the name or ID, or those of these IDs. The result is always filtered again. */
export type NamesAsked = { readonly search?: string; readonly ids?: readonly string[] }

/** The options of `management`, apart from `actor`, which the adapters add. */
export type ManagementOptions = {
  /** The largest request body that is read, in bytes. @default 65536 */
  readonly maxBodyBytes?: number | undefined
  /**
   * The total time that a request may wait for the `actor` callback, the limits of `rateLimit`, and the store. @default the `deadline` of the
   * instance
   */
  readonly deadline?: Duration | undefined
  /** Origins whose pages may call the API, such as `https://admin.example.com`: they get CORS headers, and their changes are accepted. @default [] */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Where requests carry tokens, as for `authenticate`. `/self` accepts these tokens, and every other path refuses them. @default 'bearer' */
  readonly credential?: CredentialSource | readonly CredentialSource[] | undefined
  /** Names the protected space in the challenges of `/self`. @default 'api' */
  readonly realm?: string | undefined
  /** How many calls an actor may make, and how many a token may make about itself, counted by limiters of rate-limiter-flexible. @default no limit */
  readonly rateLimit?: ManagementRateLimitOptions | undefined
  /**
   * Returns the tenants that this person may choose from, with their names. `GET /tenants` responds with those in which the actor acts. For hosts with very
   * many tenants, `asked` contains the requested ones; the callback can ignore it.
   *
   * @default the tenants that the actor acts in or, for an actor in all tenants, those that have tokens; without names
   */
  readonly tenants?: ((actor: Actor, asked: NamesAsked) => MaybePromise<readonly NamedId[]>) | undefined
  /**
   * Returns the owners that this person may choose from, with their names, for `GET /owners`. The actor acts in every `tenantId` that is passed.
   *
   * @default the owners of tokens that the actor can see, without names
   */
  readonly owners?: ((actor: Actor, asked: NamesAsked & { readonly tenantId?: string }) => MaybePromise<readonly NamedId[]>) | undefined
  /** The page at `GET /` for browsers: `dashboard({ … })` of `latchkey/dashboard`. @default none */
  readonly dashboard?: Dashboard | undefined
}

/** The validated options. */
export type ManagementSettings = {
  readonly maxBodyBytes: number
  readonly deadlineMs: number
  readonly allowedOrigins: ReadonlySet<string>
  readonly credential: readonly CredentialSource[]
  /** The names of the header fields that may contain a token. */
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
 * Validates and completes the options.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readManagementOptions(options: unknown, report: Report, instance: Timing): ManagementSettings {
  const given = readOption(schema, options, 'options')
  refuseUndefined(options, ['rateLimit'])
  const deadlineMs = given.deadline === undefined ? instance.deadlineMs : given.deadline * 1000
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
        : new Rates(readManagementRateLimit(given.rateLimit), { deadlineMs, monotonic: instance.monotonic }, report),
    dashboard: given.dashboard,
    tenants: given.tenants,
    owners: given.owners,
  })
}

// Checked by shape and not by class, because the page is a separate bundle.
function isDashboard(value: unknown): boolean {
  const { page, asset, assets } = Object(value) as { page?: unknown; asset?: unknown; assets?: unknown }
  return typeof page === 'function' && typeof asset === 'function' && Array.isArray(assets)
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value && /^https?:/.test(value)
}
