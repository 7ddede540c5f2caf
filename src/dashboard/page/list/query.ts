import { call, type Query } from '../lib/api.js'
import { isId } from '../lib/cut.js'
import { collator } from '../lib/format.js'
import { loadNames, type NamedList } from '../lib/names.js'
import { Problem } from '../lib/problem.js'
import type { Page, Token } from '../lib/types.js'
import type { Place } from '../lib/url.js'
import { loadPage } from './pages.js'

export const SIZES = ['10', '25', '50', '100'] as const
export const VIEWS = ['all', 'neverUsed', 'unused', 'noExpiry', 'expiringWeek', 'expiring', 'rotationDue', 'imported'] as const
export type View = (typeof VIEWS)[number]
export type Column = 'name' | 'client' | 'lastUsed' | 'expires' | 'created'

/** The maximum number of rows in one response. Up to this number, every column sorts all of them. */
const MOST = 1000
const ALIVE = ['active', 'pending', 'inactive'] as const

export const STATUSES = ['active', 'inactive', 'pending', 'expired', 'revoked'] as const

// URLs are typed and shared, so a value that is not offered is ignored.
export const statusOf = (place: Place): string | undefined => STATUSES.find((status) => status === place.status)
export const sizeOf = (place: Place): number => Number(SIZES.find((size) => size === place.size) ?? '25')
export const viewOf = (place: Place): View => VIEWS.find((view) => view === place.view) ?? 'all'
export const pageOf = (place: Place): number => Math.max(1, Math.trunc(Number(place.page ?? '1')) || 1)

/** The sort orders of the list. */
export const ORDERS = ['-created', 'created', 'name', '-name', 'client', '-client', '-lastUsed', 'lastUsed', 'expires', '-expires'] as const

/** `name` or `-name`; newest first if there is none. */
export function sortOf(place: Place): { column: Column; descending: boolean } {
  const order = ORDERS.find((one) => one === place.sort)
  const [, minus, column] = /^(-?)(\w+)$/.exec(order ?? '') ?? []
  return column === undefined ? { column: 'created', descending: true } : { column: column as Column, descending: minus === '-' }
}

export const isFiltered = (place: Place): boolean => Boolean(place.q || place.tenant || statusOf(place) || viewOf(place) !== 'all')

/** Returns the page's filters as API parameters. */
export function filtersOf(place: Place): Query {
  const view = viewOf(place)
  return {
    name: place.q?.slice(0, 200),
    tenantId: place.tenant?.slice(0, 200),
    // The views only concern tokens that have not ended.
    status: statusOf(place) ?? (view === 'all' || view === 'rotationDue' ? undefined : ALIVE),
    ...(view === 'neverUsed' && { neverUsed: true }),
    ...(view === 'unused' && { unusedFor: '90d', notReplaced: true }),
    ...(view === 'noExpiry' && { neverExpires: true }),
    // The old token of a rotation ends on its own: nothing is left to do about it.
    ...(view === 'expiringWeek' && { expiresWithin: '7d', notReplaced: true }),
    ...(view === 'expiring' && { expiresWithin: '30d', notReplaced: true }),
    ...(view === 'rotationDue' && { rotationDue: true }),
    ...(view === 'imported' && { imported: true }),
  }
}

export type Rows = {
  readonly items: readonly Token[]
  /** The page number, at most that of the last page. */
  readonly page: number
  readonly more: boolean
  /** Whether more tokens match than could be sorted. */
  readonly cut: boolean
  /** Whether there are too many tokens for this store to search their names. */
  readonly wide?: boolean | undefined
  /** A token that was found by its ID, but does not match the filters. */
  readonly outside?: Token
}

/** Loads the tokens of a place: a page in an order that the API supports, or up to 1,000 rows, which are sorted here. */
export async function loadRows(place: Place, prefix: string, tenants: NamedList | undefined, signal: AbortSignal): Promise<Rows> {
  const size = sizeOf(place)
  const { column, descending } = sortOf(place)
  const filters = filtersOf(place)
  if (place.q !== undefined && isId(place.q)) return oneOrNamed(place, place.q, filters, signal)
  const [known, rows] = await Promise.all([
    loadByHint(place, filters, prefix, signal),
    column === 'created' && descending
      ? loadPage(filters, size, pageOf(place), signal).catch(unlessWide({ page: 1, more: false }))
      : undefined,
  ])
  if (rows !== undefined) return { ...rows, items: rows.page === 1 ? union(known, rows.items) : rows.items, cut: false }
  const all = await loadNamed(filters, signal)
  const items = union(known, all.items)
  const ids = items.flatMap(({ tenantId }) => tenantId ?? [])
  const names = column === 'client' ? await loadNames('tenants', tenants, ids) : new Map<string, string>()
  const sorted = items.sort((a, b) => compare(a, b, column, names) * (descending ? -1 : 1))
  return { ...sliceOf(sorted, place), cut: all.nextCursor !== undefined, wide: all.wide }
}

const loadNamed = (filters: Query, signal: AbortSignal): Promise<Page<Token> & { readonly wide?: boolean }> =>
  call<Page<Token>>('GET', '.', { query: { ...filters, limit: MOST }, signal }).catch(unlessWide({}))

/** Turns the refusal of a search by name, which some stores return if there are too many tokens, into an empty result. */
function unlessWide<T extends object>(empty: T): (error: unknown) => T & { readonly items: readonly Token[]; readonly wide: boolean } {
  return (error) => {
    if (error instanceof Problem && error.status === 400 && error.fields.name !== undefined) return { ...empty, items: [], wide: true }
    throw error
  }
}

/** Takes the current page from all loaded rows. */
function sliceOf(all: readonly Token[], place: Place): Pick<Rows, 'items' | 'page' | 'more'> {
  const size = sizeOf(place)
  const page = Math.min(pageOf(place), Math.max(1, Math.ceil(all.length / size)))
  return { items: all.slice((page - 1) * size, page * size), page, more: page * size < all.length }
}

/** A token's hint, `acme_live_4kQ0…`, or the beginning of its ID. A shorter text is more likely a name. */
const HINT = /^([0-9A-Za-z]{4,15})…?$/
/** The maximum number of tokens found by the beginning of their ID. */
const ALIKE = 20

/** Returns the tokens whose ID starts with the search text. */
async function loadByHint(
  { q = '' }: Place,
  { name: _, ...filters }: Query,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly Token[]> {
  const [, start] = HINT.exec(q.startsWith(`${prefix}_`) ? q.slice(prefix.length + 1) : q) ?? []
  if (start === undefined) return []
  return (await call<Page<Token>>('GET', '.', { query: { ...filters, id: start, limit: ALIKE }, signal })).items
}

const union = (first: readonly Token[], second: readonly Token[]): Token[] => [
  ...first,
  ...second.filter(({ id }) => !first.some((known) => known.id === id)),
]

/** Returns the token with this ID, regardless of the filters, and the tokens with this name. */
async function oneOrNamed(place: Place, id: string, filters: Query, signal: AbortSignal): Promise<Rows> {
  const { name: _, ...others } = filters
  const [one, inside, named] = await Promise.all([
    call<Token>('GET', id, { signal }).catch((error: unknown) => {
      if (error instanceof Problem && error.kind === 'missing') return undefined
      throw error
    }),
    call<Page<Token>>('GET', '.', { query: { ...others, ids: [id], limit: 1 }, signal }),
    loadNamed(filters, signal),
  ])
  return {
    ...sliceOf(union(one === undefined ? [] : [one], named.items), place),
    cut: named.nextCursor !== undefined,
    wide: named.wide,
    ...(one !== undefined && inside.items.length === 0 && { outside: one }),
  }
}

function compare(a: Token, b: Token, column: Column, names: ReadonlyMap<string, string>): number {
  const client = ({ tenantId = '' }: Token): string => names.get(tenantId) ?? tenantId
  if (column === 'name') return collator.compare(a.name, b.name)
  if (column === 'client') return collator.compare(client(a), client(b))
  // Never used sorts before any use; no expiry sorts after any expiry.
  if (column === 'lastUsed') return instant(a.lastUsedAt, 0) - instant(b.lastUsedAt, 0)
  if (column === 'expires') return instant(a.expiresAt, 8.64e15) - instant(b.expiresAt, 8.64e15)
  return instant(a.createdAt, 0) - instant(b.createdAt, 0)
}

const instant = (at: string | undefined, absent: number): number => (at === undefined ? absent : Date.parse(at))
