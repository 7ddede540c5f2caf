import { InvalidInputError } from '../../errors.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import type { Context } from '../../verify/context.js'
import type { ReadActor } from './actor.js'
import { checkLifetime, endOf, givenFields, readScopes, withoutNull } from './inputs.js'

/** A new token without its ID and secret. */
export type Draft = Omit<StoredToken, 'id' | 'digest' | 'pepperId' | 'requestHash' | 'importedFrom' | 'importedHash'>

/** Parsed input of `create`. */
export type Given = { readonly [name: string]: unknown; readonly idempotencyKey?: string; readonly scopes?: readonly string[] }

/**
 * Reads the settings of a new token. `checkDraft` decides separately whether they are currently allowed, so the draft of a repeated request stays the same.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function readDraft(context: Context, given: Given, actor: ReadActor, now: number): Draft {
  const { settings } = context
  const fields = givenFields(given, 'create')
  const { expiry } = settings
  const lifetime = endOf(given, fields, now) ?? (expiry.defaultSeconds === undefined ? undefined : now + expiry.defaultSeconds * 1000)
  const { expiresAt: _, ...rest } = withoutNull(fields)
  const terms = ownFields(rest)
  const { rotateEverySeconds } = terms
  // An actor that manages only its own tokens owns the tokens that it creates, so they follow its permissions.
  const ownerId = terms.ownerId ?? (actor.manages === 'own' ? actor.id : undefined)
  const draft: Draft = ownFields({
    ...terms,
    version: 1,
    prefix: settings.prefix,
    name: terms.name ?? '',
    scopes: readGrants(terms),
    createdAt: now,
    createdBy: actor.id,
    updatedAt: now,
    ...(ownerId !== undefined && { ownerId }),
    ...(lifetime !== undefined && { expiresAt: lifetime }),
    ...(rotateEverySeconds !== undefined && { rotationDueAt: now + rotateEverySeconds * 1000 }),
  })
  return draft
}

/**
 * Checks the settings of a new token that depend on the current time and on the options.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function checkDraft({ settings }: Context, given: Given, draft: Draft, now: number): void {
  if (given.scopes !== undefined) readScopes(settings.catalogue, given.scopes)
  checkLifetime(draft, now, settings.expiry)
}

function readGrants({ scopes, inherit }: Partial<StoredToken>): readonly string[] {
  if (inherit === true) {
    if (scopes !== undefined) throw new InvalidInputError('inherit', 'replaces scopes, so pass only one of the two')
    return []
  }
  if (scopes === undefined) throw new InvalidInputError('scopes', 'is required: pass a list of scopes, or inherit: true')
  return [...new Set(scopes)]
}
