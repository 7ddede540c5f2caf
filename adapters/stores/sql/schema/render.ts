import { type ColumnKind, SCHEMA_V1, STATE_EXPRESSION, type Table } from './schema-v1.js'

/** How a dialect writes the schema. */
type Rendering = {
  /** A quoted name with its schema, for a table. */
  table(name: string): string
  /** A quoted name without a schema, for an index. */
  quote(name: string): string
  type(kind: ColumnKind): string
  /** `stored`, or `virtual` where a virtual column can be indexed. */
  readonly generated: 'stored' | 'virtual'
  /** Are indexes written inside the table, because they cannot be made again safely afterwards? */
  readonly indexesInside: boolean
  /** Can an index leave rows out? */
  readonly partialIndexes: boolean
  /** What stands at the end of a table, such as an engine. */
  suffix(table: Table): string
  /** Replaces the primary key of a table. */
  primaryKey?(table: Table): { readonly before: readonly string[]; readonly after: readonly string[] } | undefined
  /** Inserts the one row of the feed, and leaves one that is there. */
  feedRow(table: string): string
}

const column = ([name, kind]: Table['columns'][number], rendering: Rendering): string => {
  const optional = kind.endsWith('?')
  const type = rendering.type((optional ? kind.slice(0, -1) : kind) as ColumnKind)
  return `${name} ${type}${optional ? '' : ' not null'}`
}

const statementsOf = (table: Table, tablePrefix: string, rendering: Rendering): readonly string[] => {
  const key = rendering.primaryKey?.(table) ?? { before: [], after: [`primary key (${table.key.join(', ')})`] }
  const lines = [...key.before, ...table.columns.map((one) => column(one, rendering))]
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

/** The statements of version 1 in one dialect. Each can be run again. */
export const renderV1 = (tablePrefix: string, rendering: Rendering): readonly string[] => [
  ...SCHEMA_V1.flatMap((table) => statementsOf(table, tablePrefix, rendering)),
  rendering.feedRow(rendering.table(`${tablePrefix}feed`)),
]
