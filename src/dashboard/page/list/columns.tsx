import type { JSX } from 'preact'
import { config } from '../lib/config.js'
import { spanText } from '../lib/format.js'
import { spanOf } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Token, World } from '../lib/types.js'
import { ScopesOf, StatusBadge } from '../ui/token.js'
import {
  ClientCell,
  CreatedCell,
  CreatedTimeCell,
  ExpiresCell,
  LastUsedCell,
  OwnerCell,
  RevokedAtCell,
  RevokedByCell,
  StatusNote,
} from './cells.js'
import type { Column as Sorted } from './query.js'
import { SPARK_HOURS, Spark, type Uses } from './spark.js'

/** A column that the user can choose. */
export type Column = {
  readonly id: string
  readonly label: string
  readonly sort?: Sorted
  readonly cell: (token: Token, uses: Uses | undefined) => JSX.Element | string
}

const column = (id: string, label: string, cell: Column['cell'], sort?: Sorted): Column => ({
  id,
  label,
  cell,
  ...(sort && { sort }),
})

const BEFORE_USES: readonly Column[] = [
  column('client', t('list.column.client'), (token) => <ClientCell token={token} />, 'client'),
  column('owner', t('detail.owner'), (token) => <OwnerCell token={token} />),
  column('status', t('list.column.status'), (token) => (
    <>
      <StatusBadge token={token} />
      <StatusNote token={token} />
    </>
  )),
  column('scopes', t('list.column.scopes'), (token) => <ScopesOf token={token} most={1} />),
  column('lastUsed', t('list.column.lastUsed'), (token) => <LastUsedCell token={token} />, 'lastUsed'),
]

const AFTER_USES: readonly Column[] = [
  column('expires', t('list.column.expires'), (token) => <ExpiresCell token={token} />, 'expires'),
  column('created', t('list.column.created'), (token) => <CreatedCell token={token} />, 'created'),
  column('createdTime', t('list.column.createdTime'), (token) => <CreatedTimeCell token={token} />),
  column('revokedAt', t('list.column.revokedAt'), (token) => <RevokedAtCell token={token} />),
  column('importedFrom', t('detail.importedFrom'), ({ importedFrom }) =>
    importedFrom === undefined ? (
      <span class="muted">–</span>
    ) : (
      <code class="cut" title={importedFrom}>
        {importedFrom}
      </code>
    ),
  ),
  column('revokedBy', t('field.revokedBy'), (token) => <RevokedByCell token={token} />),
]

const OWN: readonly Column[] = (config.metadata ?? []).map(({ key, label }) => ({
  id: `metadata.${key}`,
  label,
  cell: (token) => (
    <bdi class="cut" title={textOfMetadata(token, key)}>
      {textOfMetadata(token, key)}
    </bdi>
  ),
}))

const DEFAULT: ReadonlySet<string> = new Set(['client', 'status', 'scopes', 'lastUsed', 'use', 'expires', 'created'])
const TIGHT: ReadonlySet<string> = new Set([...DEFAULT].filter((id) => id !== 'use'))
const KEY = 'latchkey.columns'

/** Returns the default columns. */
export const columnsFor = (tight: boolean): ReadonlySet<string> => (tight ? TIGHT : DEFAULT)

/** Returns every available column. Without usage counts, imports or tenants, their columns are left out. */
export function columnsHere(world: World, hasTenants: boolean): readonly Column[] {
  const { usageCounted, me } = world
  const uses = column('use', t('list.column.calls', { span: spanText(spanOf(world, SPARK_HOURS)) }), (token, uses) => (
    <Spark summary={uses?.get(token.id)} />
  ))
  return [...BEFORE_USES, ...(usageCounted ? [uses] : []), ...AFTER_USES, ...OWN].filter(
    ({ id }) => (me.importedShapes !== undefined || id !== 'importedFrom') && (hasTenants || id !== 'client'),
  )
}

/** Returns the columns to show. The column of tenants also shows owners, so without tenants, the column of owners replaces it. */
export function columnsShown(all: readonly Column[], chosen: ReadonlySet<string>, tokens: readonly Token[]): readonly Column[] {
  const takesOver = !all.some(({ id }) => id === 'client') && chosen.has('client') && tokens.some(({ ownerId }) => ownerId !== undefined)
  return all.filter(({ id }) => chosen.has(id) || (takesOver && id === 'owner'))
}

/** Returns the columns that the user chose on this device. */
export function readChosen(): ReadonlySet<string> | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null')
    return Array.isArray(kept) ? new Set(kept.filter((id): id is string => typeof id === 'string')) : undefined
  } catch {
    return undefined
  }
}

export function keepChosen(chosen: ReadonlySet<string>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify([...chosen]))
  } catch {
    // The choice then lasts until the page is closed.
  }
}

/** Returns a value of the metadata as text. */
export function textOfMetadata({ metadata }: Token, key: string): string {
  const value = metadata !== undefined && Object.hasOwn(metadata, key) ? metadata[key] : undefined
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
}
