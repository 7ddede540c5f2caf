import { ownFields } from '../model/own-fields.js'
import type { TokenFilter } from './port.js'

/** The fields that a filter compares, in records and in objects derived from them. */
export type Filtered = {
  readonly id: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly createdBy: string
  readonly rootId?: string | undefined
}

/** Compiles a filter into a predicate for tokens of its prefix. An empty list matches nothing. */
export function compileFilter(filter: Omit<TokenFilter, 'prefix'>): (token: Filtered) => boolean {
  const { ids, tenantIds, ownerId, createdBy, rootId } = ownFields(filter)
  const someIds = ids === undefined ? undefined : new Set(ids)
  const someTenants = tenantIds === undefined ? undefined : new Set(tenantIds)
  return (token) =>
    (ownerId === undefined || token.ownerId === ownerId) &&
    (createdBy === undefined || token.createdBy === createdBy) &&
    (rootId === undefined || token.rootId === rootId) &&
    (someTenants === undefined || (token.tenantId !== undefined && someTenants.has(token.tenantId))) &&
    (someIds === undefined || someIds.has(token.id))
}

/** The values that filters name: a nested map for each of their fields. */
type Tree = Map<string, Tree>
const END: Tree = new Map()

const FIELDS = ['ownerId', 'createdBy', 'rootId', 'tenantId'] as const

/** Filters that name the same fields. */
type Shape = { readonly fields: readonly (typeof FIELDS)[number][]; readonly tree: Tree }

/**
 * Compiles filters into one predicate: whether at least one of them matches. The work per token does not grow with the number of filters, because those that
 * name the same fields share an index.
 */
export function compileFilters(filters: readonly Omit<TokenFilter, 'prefix'>[]): (token: Filtered) => boolean {
  const [first] = filters
  if (first !== undefined && filters.length === 1) return compileFilter(first)
  const shapes = new Map<string, Shape>()
  const byId = new Map<string, ((token: Filtered) => boolean)[]>()
  for (const filter of filters) {
    const own = ownFields(filter)
    if (own.ids === undefined) addTo(shapes, own)
    else addById(byId, new Set(own.ids), compileFilter(own))
  }
  const all = [...shapes.values()]
  return (token) => all.some((shape) => isIn(shape, token)) || byId.get(token.id)?.some((matches) => matches(token)) === true
}

function addTo(shapes: Map<string, Shape>, { tenantIds, ownerId, createdBy, rootId }: Omit<TokenFilter, 'prefix'>): void {
  const named = { ownerId, createdBy, rootId, tenantId: tenantIds }
  const fields = FIELDS.filter((field) => named[field] !== undefined)
  const key = fields.join()
  const shape = shapes.get(key) ?? { fields, tree: new Map() }
  shapes.set(key, shape)
  let { tree } = shape
  for (const value of [ownerId, createdBy, rootId]) if (value !== undefined) tree = childOf(tree, value)
  for (const tenantId of tenantIds ?? []) tree.set(tenantId, END)
}

function addById<T>(byId: Map<string, T[]>, ids: Iterable<string>, value: T): void {
  for (const id of ids) {
    const values = byId.get(id)
    if (values === undefined) byId.set(id, [value])
    else values.push(value)
  }
}

function childOf(tree: Tree, value: string): Tree {
  const child = tree.get(value) ?? new Map()
  tree.set(value, child)
  return child
}

function isIn({ fields, tree }: Shape, token: Filtered): boolean {
  let at: Tree | undefined = tree
  for (const field of fields) {
    const value = token[field]
    at = value === undefined ? undefined : at.get(value)
    if (at === undefined) return false
  }
  return true
}
