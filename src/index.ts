export type { ProveInput } from './audit/handle.js'
export type { DashboardOptions, DashboardTexts } from './dashboard/index.js'
export {
  ClosedError,
  CODES,
  type Code,
  ConflictError,
  type ErrorDetails,
  GrantDeniedError,
  type InputIssue,
  type InputPlace,
  InvalidInputError,
  isLatchkeyError,
  LatchkeyError,
  NotFoundError,
  type RefusalCode,
  StoreMovingError,
  StoreUnavailableError,
} from './errors.js'
export type { CredentialSource } from './http/credential.js'
export type { OnWarning, Warning, WarningCode } from './http/diagnostics.js'
export type { ForeignPrincipal, Session } from './http/host-principal.js'
export type { AuthenticateOptions } from './http/options.js'
export type { Problem, RefusedCode } from './http/problem.js'
export type { ErrorBody } from './http/refuse.js'
export type { AnyScope, ResourceSource, ResourceSources, ScopeArguments } from './http/requirement.js'
export type {
  Authenticator,
  EventsInput,
  IfVersion,
  Latchkey,
  TokenHandle,
} from './instance.js'
export { latchkey } from './latchkey.js'
export type { ManagementOptions, NamedId, NamesAsked } from './management/index.js'
export type * from './model/actor.js'
export type * from './model/audit.js'
export type * from './model/event.js'
export type {
  ExplainedResource,
  ExplainedScope,
  ExplainInput,
  ExplainStep,
  ExplainUnknown,
  Explanation,
  RecordedRefusal,
} from './model/explanation.js'
export type * from './model/format.js'
export type * from './model/health.js'
export type * from './model/import.js'
export type * from './model/json.js'
export type * from './model/list-input.js'
export type * from './model/principal.js'
export type * from './model/record.js'
export type * from './model/register.js'
export type * from './model/revocation.js'
export type * from './model/transaction.js'
export type * from './model/usage.js'
export type { LatchkeyOptions, OwnerPermissions } from './options.js'
export type { CacheOptions, CachePreset } from './policy/cache-bounds.js'
export type { ExpiryOptions } from './policy/expiry.js'
export type { ImportsOptions } from './policy/imports.js'
export type { MaxTokensOptions } from './policy/max-tokens.js'
export type { NoticesOptions } from './policy/notices.js'
export type { ResourceMode } from './policy/resource-mode.js'
export type { RetentionOptions } from './policy/retention.js'
export type { SealingOptions } from './policy/sealing.js'
export type {
  LimitBy,
  Limiter,
  LimiterAnswer,
  ManagementRateLimit,
  ManagementRateLimitOptions,
  RateLimit,
  RateLimitOptions,
  Refill,
} from './rate-limit/model.js'
export type { StoreDiagnosis, StoreFinding } from './store/diagnosis.js'
export type { FaultPlace } from './store/fault-places.js'
export type { Move, MoveState, Restored, RestoredUsage, RestoreResult } from './store/moving.js'
export type * from './store/port.js'
export type { FaultOptions, FaultReport, Logger } from './store/reporter.js'
export { redact } from './token/redact.js'
