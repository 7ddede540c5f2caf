import { t } from '../lib/text.js'
import type { Scopes } from '../lib/types.js'

/** One grantable scope. `label` is shown beside its checkbox if no column heading names it. */
export type Cell = { readonly name: string; readonly description: string; readonly label?: string }

/** The scopes of one resource, by action. */
export type Row = { readonly resource: string; readonly cells: ReadonlyMap<string, Cell> }

export type Grid = {
  /** The groups. */
  readonly presets: readonly Cell[]
  /** The column headings: the most common actions first, `*` last. */
  readonly actions: readonly string[]
  readonly rows: readonly Row[]
  /** Scopes that do not fit the grid. */
  readonly others: readonly Cell[]
}

/** Returns whether the scope also grants scopes that are added later. */
export const risky = (name: string): boolean => name === '*' || name.endsWith(':*')

/** Returns the catalogue as a grid, limited to search matches. */
export function gridOf({ items, groups, allowWildcard }: Scopes, chosen: readonly string[], wanted: string): Grid {
  const finds = ({ name, description }: Cell): boolean => `${name} ${description}`.toLowerCase().includes(wanted)
  const presets = groups.map(({ name, scopes }) => ({ name, description: scopes.join(', '), label: name }))
  const parted = items.filter(({ name }) => name.includes(':'))
  const resources = [...new Set(parted.map(({ name }) => resourceOf(name)))]
  const wildcards = resources.map((resource) => ({ name: `${resource}:*`, description: t('form.wildcard', { name: resource }) }))
  const cells: readonly Cell[] = [...parted, ...wildcards]
  const found = cells.filter(finds)
  const rows = resources.map((resource) => ({
    resource,
    cells: new Map(found.filter(({ name }) => resourceOf(name) === resource).map((cell) => [actionOf(cell.name), cell])),
  }))
  const general = items.filter(({ name }) => !name.includes(':')).map((item) => ({ ...item, label: item.name }))
  const everything = allowWildcard ? [{ name: '*', description: t('form.everything'), label: t('form.everything') }] : []
  const listed = new Set([...presets, ...cells, ...general, ...everything].map(({ name }) => name))
  // Other scopes that a token has, such as a deeper wildcard, must also be visible.
  const strange = chosen.filter((name) => !listed.has(name)).map((name) => ({ name, description: '', label: name }))
  return {
    presets: presets.filter(finds),
    actions: byUse(found.map(({ name }) => actionOf(name))),
    rows: rows.filter((row) => row.cells.size > 0),
    others: [...general, ...everything, ...strange].filter(finds),
  }
}

const resourceOf = (name: string): string => name.slice(0, name.indexOf(':'))
/** Returns the action of a scope: `read` of `orders:read`. */
export const actionOf = (name: string): string => name.slice(name.indexOf(':') + 1)

function byUse(actions: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const action of actions) counts.set(action, (counts.get(action) ?? 0) + 1)
  const rank = (action: string): number => (action === '*' ? -1 : (counts.get(action) ?? 0))
  return [...counts.keys()].sort((a, b) => rank(b) - rank(a))
}
