import { compileEntry, type Entry, rootIdOf } from '../cache/entry.js'
import { isLatchkeyError } from '../errors.js'
import type { ExplainStep } from '../model/explanation.js'
import { ownFields } from '../model/own-fields.js'
import { formatOf, hasEnded, type Imports } from '../policy/imports.js'
import { compileNetworks } from '../policy/network.js'
import { type Lifecycle, type LifecycleRefusal, refusalOf } from '../policy/status.js'
import { limitKey } from '../rate-limit/key.js'
import { peekRates } from '../rate-limit/peek.js'
import type { ReadLimit } from '../rate-limit/read-options.js'
import type { Context } from './context.js'
import { explainRoute } from './explain-route.js'
import { type AskedAbout, decided, type Facts, type Moment, type OwnerFound, unknown } from './explain-step.js'
import { ownerOf } from './owner-of.js'
import { principalOf } from './principal-of.js'

/**
 * Returns every step of the decision about a token with this record, in order, including those after the refusing step. Each step uses the same
 * function as `decide`. Calls the `owner` option as a verification would; counts nothing.
 */
export async function explainSteps(context: Context, moment: Moment, asked: AskedAbout): Promise<readonly ExplainStep[]> {
  const entry = compileEntry(moment.record, context.settings.catalogue)
  const owner = await findOwner(context, moment)
  return [
    recordStep(context, moment),
    ...lifecycleSteps(moment),
    addressStep(moment, entry, asked.ip),
    owner.step,
    await rateStep(context, moment, entry, owner.found),
    ...explainRoute(context, moment, entry, owner.found, asked),
  ]
}

function recordStep({ settings }: Context, { record, at, past, isOfOtherKey }: Moment): ExplainStep {
  const { createdAt, importedFrom } = record
  const facts = { createdAt: new Date(createdAt), ...(importedFrom !== undefined && { importedFrom }) }
  const isRecognizedNow = !isOfOtherKey && isRecognized(settings.imports, importedFrom, at)
  return decided('record', (!past || at >= createdAt) && isRecognizedNow, 'token_unknown', facts)
}

/** Returns whether the format that a token was imported in is accepted. */
function isRecognized(imports: Imports | undefined, importedFrom: string | undefined, at: number): boolean {
  if (importedFrom === undefined) return true
  const format = formatOf(imports, importedFrom)
  return format !== undefined && !hasEnded(format, at)
}

function lifecycleSteps({ record, at, known }: Moment): readonly ExplainStep[] {
  const { revokedAt, revokedBy, revokedCode, revokedReason, replacedById, deactivatedAt, deactivatedBy, notBefore, expiresAt } = record
  // Each instant separately, in the order in which `refusalOf` checks them.
  const step = (name: ExplainStep['step'], instants: Lifecycle, code: LifecycleRefusal, facts: Facts): ExplainStep =>
    known || name === 'revoked'
      ? decided(name, refusalOf(ownFields(instants), at) !== code, code, facts)
      : unknown(name, 'events_incomplete')
  return [
    step('revoked', revokedAt === undefined ? {} : { revokedAt }, 'token_revoked', {
      ...instant('revokedAt', revokedAt),
      ...(revokedBy !== undefined && { revokedBy }),
      ...(revokedCode !== undefined && { revokedCode }),
      ...(revokedReason !== undefined && { revokedReason }),
      ...(replacedById !== undefined && { replacedById }),
    }),
    step('inactive', deactivatedAt === undefined ? {} : { deactivatedAt }, 'token_inactive', {
      ...instant('deactivatedAt', deactivatedAt),
      ...(deactivatedBy !== undefined && { deactivatedBy }),
    }),
    step('not_before', notBefore === undefined ? {} : { notBefore }, 'token_not_yet_valid', instant('notBefore', notBefore)),
    step('expired', expiresAt === undefined ? {} : { expiresAt }, 'token_expired', instant('expiresAt', expiresAt)),
  ]
}

function instant<Name extends 'revokedAt' | 'deactivatedAt' | 'notBefore' | 'expiresAt'>(
  name: Name,
  at: number | undefined,
): { readonly [N in Name]?: Date } {
  return at === undefined ? {} : ({ [name]: new Date(at) } as { readonly [N in Name]?: Date })
}

function addressStep({ record, known }: Moment, { parts }: Entry, ip: string | undefined): ExplainStep {
  const asked = ip === undefined ? {} : { ip }
  if (!known) return unknown('address', 'events_incomplete', asked)
  const { allowedIps } = record
  if (allowedIps === undefined || parts.allowsIp === undefined) return decided('address', true, 'ip_denied', asked)
  if (ip === undefined) return unknown('address', 'not_given', { allowedIps })
  const allowedBy = allowedIps.find((network) => compileNetworks([network])(ip))
  return decided('address', parts.allowsIp(ip), 'ip_denied', { ip, allowedIps, ...(allowedBy !== undefined && { allowedBy }) })
}

async function findOwner(context: Context, { record, past }: Moment): Promise<{ readonly step: ExplainStep; readonly found: OwnerFound }> {
  const { ownerId } = record
  const facts = ownerId === undefined ? {} : { ownerId }
  if (context.owners === undefined || ownerId === undefined) {
    const assumed = past && ownerId !== undefined ? { assumes: 'present_options' as const } : {}
    return { step: decided('owner', true, 'owner_denied', { ...facts, ...assumed }), found: { owned: undefined } }
  }
  if (past) return { step: unknown('owner', 'not_recorded', facts), found: { unknown: true } }
  try {
    const found = await ownerOf(context, record, context.allowance?.leftMs)
    // Lookups are throttled only after the owner has repeatedly been found to be gone.
    const owned = found === 'throttled' ? null : found
    return { step: decided('owner', owned !== null, 'owner_denied', facts), found: { owned } }
  } catch (error) {
    // A verification could not decide either, and would result in a 503.
    if (!isLatchkeyError(error) || error.code !== 'store_unavailable') throw error
    return { step: decided('owner', false, 'store_unavailable', facts), found: { unknown: true } }
  }
}

async function rateStep(context: Context, { record, at, past }: Moment, entry: Entry, { owned }: OwnerFound): Promise<ExplainStep> {
  const { rateLimit, prefix, deadlineMs } = context.settings
  const principal = principalOf(context, entry, owned ?? undefined)
  const keyOf = (limit: ReadLimit): string | undefined => limitKey(limit, prefix, principal, rootIdOf(record))
  const limits = (rateLimit?.limits ?? []).filter((limit) => keyOf(limit) !== undefined).map(({ name }) => name)
  if (rateLimit === undefined || limits.length === 0)
    return decided('rate', true, 'rate_limited', past ? { assumes: 'present_options' } : {})
  if (past) return unknown('rate', 'not_recorded', { limits })
  try {
    const { states, unread, spent } = await peekRates(rateLimit, keyOf, {
      subject: principal,
      now: at,
      deadlineMs,
      allowance: context.allowance,
      report: context.report,
    })
    const facts = { limits, ...(states.length > 0 && { rates: states }) }
    return unread && !spent ? unknown('rate', 'not_counted', facts) : decided('rate', !spent, 'rate_limited', facts)
  } catch (error) {
    // A verification could not decide either.
    if (!isLatchkeyError(error) || error.code !== 'store_unavailable') throw error
    return decided('rate', false, 'store_unavailable', { limits })
  }
}
