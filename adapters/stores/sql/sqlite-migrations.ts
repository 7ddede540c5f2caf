import type { Migration } from './quirks.js'
import { renderV1 } from './render.js'
import type { Names } from './table-names.js'

const quote = (name: string): string => `"${name}"`

/** The schema of a SQLite file. Text compares byte for byte: BINARY is SQLite's own collation. */
export const sqliteMigrations = ({ tablePrefix }: Names): readonly Migration[] => [
  {
    version: 1,
    name: 'tokens, audit, feed, usage, leases',
    statements: renderV1(tablePrefix, {
      table: quote,
      quote,
      type: (kind) => (kind === 'int' ? 'integer' : 'text'),
      generated: 'virtual',
      indexesInside: false,
      partialIndexes: true,
      suffix: (table) => (table.key[0]?.endsWith('_id') ? ' without rowid' : ''),
      primaryKey: (table) => {
        // Written out, because the search table refers to it, and VACUUM may number hidden ones anew.
        if (table.name === 'tokens') return { before: ['row_id integer primary key'], after: ['unique (id)'] }
        // An integer key is the row itself, without an index beside it.
        return undefined
      },
      feedRow: (table) => `insert into ${table} (id, head, floor) values (1, 0, 0) on conflict (id) do nothing`,
    }),
  },
]
