import type { Migration } from '../quirks.js'
import { renderV1 } from './render.js'
import type { ColumnKind } from './schema-v1.js'
import type { Names } from './table-names.js'

const quote = (name: string): string => `\`${name}\``

const types: { readonly [Kind in ColumnKind]: string } = {
  id: 'varchar(64)',
  word: 'varchar(64)',
  key: 'varchar(512)',
  text: 'mediumtext',
  int: 'bigint',
}

/**
 * The binary collation without padding, under which `a` and `a ` are two strings, has another name on each server. MariaDB reads the
 * first comment and MySQL the second one.
 */
const SUFFIX = ' engine=InnoDB default charset=utf8mb4 /*M!100200 collate=utf8mb4_nopad_bin *//*!80017 collate=utf8mb4_0900_bin */'

/** The schema on MySQL and MariaDB. It cannot be rolled back there, so each statement can be run again. */
export const mysqlMigrations = ({ tablePrefix }: Names): readonly Migration[] => [
  {
    version: 1,
    name: 'tokens, audit, feed, usage, leases',
    statements: renderV1(tablePrefix, {
      table: quote,
      quote,
      type: (kind) => types[kind],
      generated: 'stored',
      indexesInside: true,
      partialIndexes: false,
      suffix: () => SUFFIX,
      feedRow: (feed) => `insert into ${feed} (id, head, floor) values (1, 0, 0) on duplicate key update id = 1`,
    }),
  },
]
