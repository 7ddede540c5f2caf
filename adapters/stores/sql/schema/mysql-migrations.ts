import type { Migration } from '../quirks.js'
import { FEED_VALUES } from './lock-rows.js'
import { schemaMigrations } from './render.js'
import type { Names } from './table-names.js'
import type { ColumnKind } from './token-columns.js'

const quote = (name: string): string => `\`${name}\``

/** An InnoDB index entry has at most 3,072 bytes. A character takes four bytes, and some of our indexes contain two keys. */
const types: { readonly [Kind in ColumnKind]: string } = {
  id: 'varchar(64)',
  word: 'varchar(64)',
  key: 'varchar(255)',
  text: 'mediumtext',
  int: 'bigint',
}

/**
 * The binary collation without padding, in which `a` and `a ` differ, has a different name on each server. MariaDB reads the first comment, and MySQL the
 * second one.
 */
const SUFFIX = ' engine=InnoDB default charset=utf8mb4 /*M!100200 collate=utf8mb4_nopad_bin *//*!80017 collate=utf8mb4_0900_bin */'

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_dup_fieldname */
const COLUMN_EXISTS = 1060

/** Returns the schema on MySQL and MariaDB, which cannot roll back schema changes. Each statement can therefore be run again. */
export const mysqlMigrations = ({ tablePrefix }: Names): readonly Migration[] =>
  schemaMigrations(tablePrefix, {
    table: quote,
    quote,
    type: (kind) => types[kind],
    generated: 'stored',
    indexesInside: true,
    partialIndexes: false,
    suffix: () => SUFFIX,
    feedRow: (feed) =>
      `insert into ${feed} (id, head, floor, run, run_from, run_before) values ${FEED_VALUES} on duplicate key update head = head`,
    movesRow: (moves) => `insert into ${moves} (id, detail) values (1, '{}') on duplicate key update id = 1`,
    identityRow: (identity) => `insert into ${identity} (id, value) values (1, uuid()) on duplicate key update id = 1`,
    addColumns: (table, definitions) => ({
      statements: [],
      optional: {
        // One statement adds all columns or none, so if they exist already, a process died right after adding them.
        statements: [`alter table ${table} ${definitions.map((definition) => `add column ${definition}`).join(', ')}`],
        forgives: (error) => Reflect.get(Object(error), 'errno') === COLUMN_EXISTS,
      },
    }),
  })
