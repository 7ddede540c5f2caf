import { isErrorLike } from '../../../../src/errors.js'
import type { Migration } from '../quirks.js'
import { schemaMigrations } from './render.js'
import type { Names } from './table-names.js'

const quote = (name: string): string => `"${name}"`

/** An index of the three-letter pieces of names (https://www.sqlite.org/fts5.html#the_trigram_tokenizer), kept by triggers. */
const searchStatements = (tablePrefix: string): readonly string[] => {
  const tokens = quote(`${tablePrefix}tokens`)
  const search = quote(`${tablePrefix}tokens_search`)
  const trigger = (name: string): string => `create trigger if not exists ${quote(`${tablePrefix}tokens_search_${name}`)}`
  const add = `insert into ${search} (rowid, name_folded) values (new.row_id, new.name_folded)`
  const remove = `insert into ${search} (${search}, rowid, name_folded) values ('delete', old.row_id, old.name_folded)`
  return [
    `create virtual table if not exists ${search} using fts5 (
  name_folded,
  content = '${tablePrefix}tokens',
  content_rowid = 'row_id',
  tokenize = 'trigram case_sensitive 1'
)`,
    `${trigger('insert')} after insert on ${tokens} begin ${add}; end`,
    `${trigger('delete')} after delete on ${tokens} begin ${remove}; end`,
    `${trigger('update')} after update of name_folded on ${tokens} when old.name_folded is not new.name_folded begin ${remove}; ${add}; end`,
    `insert into ${search} (${search}) values ('rebuild')`,
  ]
}

/** Returns the schema of a SQLite file. Text compares byte for byte: BINARY is SQLite's own collation. */
export const sqliteMigrations = ({ tablePrefix }: Names): readonly Migration[] =>
  schemaMigrations(tablePrefix, {
    table: quote,
    quote,
    type: (kind) => (kind === 'int' ? 'integer' : 'text'),
    generated: 'virtual',
    indexesInside: false,
    partialIndexes: true,
    suffix: (table) => (table.key[0]?.endsWith('_id') ? ' without rowid' : ''),
    primaryKey: (table) => {
      // Written out, because the search table refers to it, and VACUUM may renumber hidden row IDs.
      if (table.name === 'tokens') return { before: ['row_id integer primary key'], after: ['unique (id)'] }
      // An integer key is the row itself, without a separate index.
      return undefined
    },
    feedRow: (table) =>
      `insert into ${table} (id, head, floor, run, run_from, run_before) values (1, 0, 0, '', 0, '') on conflict (id) do nothing`,
    movesRow: (moves) => `insert into ${moves} (id, detail) values (1, '{}') on conflict (id) do nothing`,
    identityRow: (table) => `insert into ${table} (id, value) values (1, hex(randomblob(16))) on conflict (id) do nothing`,
    addColumns: (table, definitions) => ({ statements: definitions.map((definition) => `alter table ${table} add column ${definition}`) }),
    nameIndex: {
      statements: [],
      optional: {
        statements: searchStatements(tablePrefix),
        // A build of SQLite without FTS5 searches names without an index.
        forgives: (error) => isErrorLike(error) && /no such (module|tokenizer)/.test(error.message),
      },
    },
  })
