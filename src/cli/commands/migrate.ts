import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { findInternals, OTHER_COPY } from '../lib/internals.js'
import { say, write } from '../lib/output.js'

export function addMigrate(program: Command, perform: Perform): void {
  const command = program
    .command('migrate')
    .summary('create or upgrade the tables of the store, or print the SQL')
    .description(
      'Creates or upgrades the tables of the store. An instance also does this on first use, if its database user has permission.',
    )
    .option('--print', 'print the SQL for an empty database, without connecting to the store')
  perform<{ readonly print?: true }>(command, async ({ tokens, streams, answer }, { print }) => {
    const inside = findInternals(tokens)
    if (inside === undefined) {
      throw new CommandError(
        EXIT.failed,
        `${OTHER_COPY}, so the command cannot reach the store: pass --config with a .mjs file that creates the instance with import`,
      )
    }
    const { store } = inside.settings
    if (print) {
      const sql = await printedBy(store)
      await answer({ sql }, () => write(streams.stdout, sql))
      return
    }
    if (store.migrate === undefined) throw new CommandError(EXIT.failed, `the ${store.name} store has nothing to set up`)
    // Without a request's deadline, because a large table takes time.
    await store.migrate()
    await answer({ migrated: true }, () => say(streams, `The store ${store.name} is set up.`))
  })
}

/** Returns the SQL from a SQL store. It is not part of the store port. */
function printedBy(store: { readonly name: string; readonly migrationSql?: unknown }): Promise<string> {
  if (typeof store.migrationSql !== 'function') throw new CommandError(EXIT.failed, `the ${store.name} store has no SQL to print`)
  return store.migrationSql()
}
