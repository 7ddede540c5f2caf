import type { ComponentChildren } from 'preact'
import { readIds, textOfIds } from '../lib/ids.js'
import { t } from '../lib/text.js'
import type { Me, Resources, Scopes, Token } from '../lib/types.js'
import { entriesOf, isNetwork } from './address.js'

/** State of the form. Everything is text until it is sent. */
export type Draft = {
  readonly name: string
  readonly description: string
  /** `one` tenant, or `every` tenant: leaving a field empty must not create a token for all of them. */
  readonly reach: 'one' | 'every'
  readonly tenantId: string
  readonly ownerId: string
  /** Whether it follows its owner's permissions instead of having its own scopes. */
  readonly inherit: boolean
  readonly scopes: readonly string[]
  readonly resources: readonly { readonly dimension: string; readonly values: string }[]
  /** `keep`, `never`, `custom`, or a number of days. */
  readonly expiry: string
  readonly day: string
  readonly addresses: string
  /** Days between rotations, or the empty string. */
  readonly reminder: string
  readonly metadata: string
}

export type Limits = Scopes['expiry']

const DAY_SECONDS = 86_400

/** Returns the expiry choices that the policy allows, in days. */
export const expiryDays = ({ maxSeconds }: Limits): readonly number[] =>
  [7, 30, 60, 90, 365].filter((days) => maxSeconds === undefined || days * DAY_SECONDS <= maxSeconds)

export const mayLiveForever = ({ required, maxSeconds, defaultSeconds }: Limits): boolean =>
  !required && maxSeconds === undefined && defaultSeconds === undefined

/** Returns an empty form, with defaults from the user's permissions and the host's limits. */
export function newDraft(me: Me, limits: Limits): Draft {
  const days = expiryDays(limits)
  const preferred = days.includes(90) ? 90 : days.at(-1)
  return {
    name: '',
    description: '',
    reach: 'one',
    inherit: false,
    tenantId: me.tenants === '*' ? '' : (me.tenants[0] ?? ''),
    ownerId: me.manages === 'own' ? me.id : '',
    scopes: [],
    resources: rowsOf(me.resources),
    expiry: preferred === undefined ? 'custom' : String(preferred),
    day: '',
    addresses: '',
    reminder: '',
    metadata: '',
  }
}

/** Returns the form with the current values of a token. */
export function draftOf(token: Token): Draft {
  return {
    name: token.name,
    description: token.description ?? '',
    reach: token.tenantId === undefined ? 'every' : 'one',
    inherit: token.inherit === true,
    tenantId: token.tenantId ?? '',
    ownerId: token.ownerId ?? '',
    scopes: token.scopes,
    resources: rowsOf(token.resources),
    expiry: 'keep',
    day: '',
    addresses: token.allowedIps?.join('\n') ?? '',
    reminder: token.rotateEverySeconds === undefined ? '' : String(token.rotateEverySeconds / DAY_SECONDS),
    metadata: token.metadata === undefined ? '' : JSON.stringify(token.metadata, null, 2),
  }
}

/** Problems by field. */
export type Errors = { readonly [field: string]: ComponentChildren }

/** Checks the form before anything is sent. The server checks the rest. */
export function check(draft: Draft): { readonly [field: string]: string } {
  const bad = entriesOf(draft.addresses).find((entry) => !isNetwork(entry))
  return {
    ...(draft.name.trim() === '' && { name: t('form.nameMissing') }),
    ...(draft.reach === 'one' && draft.tenantId.trim() === '' && { tenantId: t('form.clientMissing') }),
    ...(draft.inherit && draft.ownerId.trim() === '' && { ownerId: t('form.ownerMissing') }),
    ...(draft.expiry === 'custom' && !(endOf(draft.day) > Date.now()) && { expiresAt: t('form.dayMissing') }),
    ...(draft.resources.some(isNameless) && { resources: t('form.dimensionMissing') }),
    ...(bad !== undefined && { allowedIps: t('form.addressWrong', { entry: bad }) }),
    ...(draft.metadata.trim() !== '' && metadataOf(draft.metadata) === undefined && { metadata: t('form.metadataWrong') }),
  }
}

/** Returns whether the form was changed. */
export const isChanged = (draft: Draft, before: Draft): boolean => JSON.stringify(draft) !== JSON.stringify(before)

/** Returns when the token of a draft expires; `undefined` if the server decides, `null` for never. */
export function endsAt(draft: Draft): number | null | undefined {
  if (draft.expiry === 'keep') return undefined
  if (draft.expiry === 'never') return null
  if (draft.expiry === 'custom') return endOf(draft.day)
  return Date.now() + Number(draft.expiry) * DAY_SECONDS * 1000
}

/** Returns the request body of a creation. */
export function createBody(draft: Draft): object {
  const { description, tenantId, ownerId } = draft
  return {
    name: draft.name.trim(),
    ...(draft.inherit ? { inherit: true } : { scopes: draft.scopes }),
    ...(description.trim() !== '' && { description: description.trim() }),
    ...(draft.reach === 'one' && { tenantId: tenantId.trim() }),
    ...(ownerId.trim() !== '' && { ownerId: ownerId.trim() }),
    ...defined(termsOf(draft)),
    ...(/^\d+$/.test(draft.expiry) && { expiresIn: `${draft.expiry}d`, expiresAt: undefined }),
  }
}

/** Returns the request body of an edit. It contains only changed fields, so that other fields stay unchanged. */
export function changesOf(draft: Draft, before: Draft): { [field: string]: unknown } {
  const now: { [field: string]: unknown } = {
    name: draft.name.trim(),
    description: draft.description.trim() || null,
    ...(!draft.inherit && { scopes: draft.scopes }),
    ...termsOf(draft),
  }
  const then: { [field: string]: unknown } = {
    name: before.name.trim(),
    description: before.description.trim() || null,
    ...(!before.inherit && { scopes: before.scopes }),
    ...termsOf(before),
  }
  return Object.fromEntries(
    Object.entries(now).filter(([field, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(then[field])),
  )
}

function termsOf(draft: Draft): { [field: string]: unknown } {
  const end = endsAt(draft)
  const addresses = entriesOf(draft.addresses)
  const reminder = Number(draft.reminder)
  return {
    resources: resourcesOf(draft) ?? null,
    expiresAt: end === undefined || end === null ? end : new Date(end).toISOString(),
    allowedIps: addresses.length === 0 ? null : addresses,
    rotateEvery: reminder > 0 ? Math.round(reminder * DAY_SECONDS) : null,
    metadata: metadataOf(draft.metadata) ?? null,
  }
}

type Row = Draft['resources'][number]

/** Returns whether a row has IDs but no resource type. Ignoring such a row would leave the token unlimited. */
export const isNameless = (row: Row): boolean => row.dimension.trim() === '' && readIds(row.values).length > 0

/** Returns the resources of a draft. Rows of the same type are merged. */
export function resourcesOf({ resources }: Draft): Resources | undefined {
  const named = new Map<string, readonly string[]>()
  for (const row of resources) {
    const kind = row.dimension.trim()
    if (kind !== '') named.set(kind, [...new Set([...(named.get(kind) ?? []), ...readIds(row.values)])])
  }
  return named.size === 0 ? undefined : Object.fromEntries(named)
}

/** Returns the metadata of a draft, if its text is a JSON object. */
export function metadataOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

const rowsOf = (resources: Resources = {}): Draft['resources'] =>
  Object.entries(resources).map(([dimension, values]) => ({ dimension, values: textOfIds(values) }))

// The token lasts until the end of the chosen day in the user's time zone.
const endOf = (day: string): number => new Date(`${day}T23:59:59`).getTime()

const defined = (fields: { [field: string]: unknown }): { [field: string]: unknown } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null))
