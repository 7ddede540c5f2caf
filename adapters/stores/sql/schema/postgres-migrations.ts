import type { Migration } from '../quirks.js'
import { FEED_VALUES } from './lock-rows.js'
import { schemaMigrations } from './render.js'
import type { Names } from './table-names.js'

const quote = (name: string): string => `"${name}"`

/** Returns the schema on Postgres. The "C" collation compares byte for byte, regardless of the locale of the database. */
export const postgresMigrations = ({ schema, tablePrefix }: Names): readonly Migration[] => {
  const table = (name: string): string => (schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`)
  const tokens = `${tablePrefix}tokens`
  return schemaMigrations(tablePrefix, {
    table,
    quote,
    type: (kind) => (kind === 'int' ? 'bigint' : 'text collate "C"'),
    generated: 'stored',
    indexesInside: false,
    partialIndexes: true,
    suffix: () => '',
    feedRow: (feed) => `insert into ${feed} (id, head, floor, run, run_from, run_before) values ${FEED_VALUES} on conflict (id) do nothing`,
    movesRow: (moves) => `insert into ${moves} (id, detail) values (1, '{}') on conflict (id) do nothing`,
    identityRow: (identity) =>
      `insert into ${identity} (id, value) values (1, md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text)) on conflict (id) do nothing`,
    addColumns: (name, definitions) => ({
      statements: [`alter table ${name} ${definitions.map((definition) => `add column if not exists ${definition}`).join(', ')}`],
    }),
    nameIndex: {
      // If the extension cannot be created, or is in a schema outside the search path, names are searched without an index.
      statements: [
        `do $latchkey$ begin
  create extension if not exists pg_trgm;
exception when others then null;
end $latchkey$`,
        `do $latchkey$ begin
  create index if not exists ${quote(`${tokens}_name`)} on ${table(tokens)} using gin (name_folded gin_trgm_ops);
exception when undefined_object or insufficient_privilege then null;
end $latchkey$`,
      ],
    },
  })
}
