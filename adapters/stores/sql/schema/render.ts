import type { Migration } from '../quirks.js'
import { type Column, columnOf, SCHEMA_V1, STATE_EXPRESSION, type Table } from './tables.js'
import { type ColumnKind, FIELD_COLUMNS } from './token-columns.js'

type Statements = Pick<Migration, 'statements' | 'optional'>

/** How a dialect writes the schema. */
export type Rendering = {
  /** Returns a quoted name with its schema, for a table. */
  table(name: string): string
  /** Returns a quoted name without a schema, for an index. */
  quote(name: string): string
  type(kind: ColumnKind): string
  /** `stored`, or `virtual` where a virtual column can be indexed. */
  readonly generated: 'stored' | 'virtual'
  /** Whether indexes are written inside the table, because creating them afterward cannot be repeated safely. */
  readonly indexesInside: boolean
  /** Whether an index can leave rows out. */
  readonly partialIndexes: boolean
  /** Returns the end of a table's definition, such as an engine. */
  suffix(table: Table): string
  /** Replaces the primary key of a table. */
  primaryKey?(table: Table): { readonly before: readonly string[]; readonly after: readonly string[] } | undefined
  /** Inserts the row of the feed, and on servers the rows that serve as locks, unless they exist. */
  feedRow(table: string): string
  /** Inserts the single row of the identity table, unless it exists. */
  identityRow(table: string): string
  /** Inserts the single row of the moves table, unless it exists. */
  movesRow(table: string): string
  /** Adds columns to a table, unless they exist. */
  addColumns(table: string, definitions: readonly string[]): Statements
  /** The index for searching parts of names, if the server supports one. */
  readonly nameIndex?: Statements
}

const definitionOf = ([name, kind]: Column, rendering: Rendering): string => {
  const optional = kind.endsWith('?')
  const type = rendering.type((optional ? kind.slice(0, -1) : kind) as ColumnKind)
  return `${name} ${type}${optional ? '' : ' not null'}`
}

const statementsOf = (table: Table, tablePrefix: string, rendering: Rendering): readonly string[] => {
  const key = rendering.primaryKey?.(table) ?? { before: [], after: [`primary key (${table.key.join(', ')})`] }
  const lines = [...key.before, ...table.columns.map((one) => definitionOf(one, rendering))]
  if (table.derivesState) {
    lines.push(`state ${rendering.type('word')} generated always as (${STATE_EXPRESSION}) ${rendering.generated}`)
  }
  lines.push(...key.after)
  if (table.unique !== undefined) lines.push(`unique (${table.unique.join(', ')})`)
  const name = tablePrefix + table.name
  const indexes: string[] = []
  for (const index of table.indexes) {
    const indexName = rendering.quote(`${name}_${index.name}`)
    const columns = `(${index.columns.join(', ')})`
    if (rendering.indexesInside) {
      lines.push(`index ${indexName} ${columns}`)
    } else {
      const where = rendering.partialIndexes && index.present !== undefined ? ` where ${index.present} is not null` : ''
      indexes.push(`create index if not exists ${indexName} on ${rendering.table(name)} ${columns}${where}`)
    }
  }
  return [`create table if not exists ${rendering.table(name)} (\n  ${lines.join(',\n  ')}\n)${rendering.suffix(table)}`, ...indexes]
}

const versionOne = (tablePrefix: string, rendering: Rendering): Migration => {
  const { statements = [], optional } = rendering.nameIndex ?? {}
  return {
    version: 1,
    name: 'tokens, audit, feed, usage, leases',
    statements: [
      ...SCHEMA_V1.flatMap((table) => statementsOf(table, tablePrefix, rendering)),
      rendering.feedRow(rendering.table(`${tablePrefix}feed`)),
      rendering.identityRow(rendering.table(`${tablePrefix}identity`)),
      rendering.movesRow(rendering.table(`${tablePrefix}moves`)),
      ...statements,
    ],
    ...(optional !== undefined && { optional }),
  }
}

/** Returns the migration that adds the fields of a later version. */
const fieldsOf = (version: number, tablePrefix: string, rendering: Rendering): Migration => {
  const added = FIELD_COLUMNS.filter(({ since }) => since === version)
  return {
    version,
    name: `fields: ${added.map(({ field }) => field).join(', ')}`,
    ...rendering.addColumns(
      rendering.table(`${tablePrefix}tokens`),
      added.map((field) => definitionOf(columnOf(field), rendering)),
    ),
  }
}

/** Returns the versions of the schema in one dialect. */
export const schemaMigrations = (tablePrefix: string, rendering: Rendering): readonly Migration[] => {
  const later = [...new Set(FIELD_COLUMNS.map(({ since }) => since))].filter((version) => version > 1).sort((a, b) => a - b)
  return [versionOne(tablePrefix, rendering), ...later.map((version) => fieldsOf(version, tablePrefix, rendering))]
}
