/** Every test file. */
export const EVERY: string = 'test/**/*.test.ts'
/** Files that look like tests but are run by other tools. */
export const NOT_OURS: readonly string[] = ['test/consumer/fixtures/**', '**/node_modules/**']

/**
 * Tests that are slow by nature: processes that are started, killed or exit, separate servers, browsers, a contract repeated under faults or on pools of every
 * shape, floods of calls, locks that time out, and thousands to millions of rows or schedules. `npm run test:long` runs them.
 */
export const LONG: string[] = [
  'test/activity/consumer-crash.test.ts',
  'test/activity/notices-crash.test.ts',
  'test/activity/usage-million.test.ts',
  'test/audit/seal-crash.test.ts',
  'test/audit/tamper-stores.test.ts',
  'test/audit/tamper.test.ts',
  'test/cache/floods.test.ts',
  'test/cache/forgeries.test.ts',
  'test/cache/schedules.test.ts',
  'test/cache/shares.test.ts',
  'test/cli/broken-config.test.ts',
  'test/cli/commands.test.ts',
  'test/cli/docs.test.ts',
  'test/cli/doctor.test.ts',
  'test/cli/folders.test.ts',
  'test/cli/hints.test.ts',
  'test/cli/import-table.test.ts',
  'test/cli/moving.test.ts',
  'test/cli/pasted.test.ts',
  'test/cli/process.test.ts',
  'test/cli/refusals.test.ts',
  'test/cluster/**/*.test.ts',
  // The other tests in that folder run in a browser.
  'test/dashboard/!(served).test.ts',
  'test/docs/blocks.test.ts',
  'test/examples/**/*.test.ts',
  'test/extensions/client/browser.test.ts',
  'test/extensions/client/load.test.ts',
  'test/extensions/copy/copy.test.ts',
  'test/extensions/copy/endless.test.ts',
  'test/extensions/copy/every-store.test.ts',
  'test/extensions/relay/many-nodes.test.ts',
  'test/extensions/webhooks/crash.test.ts',
  'test/flood/**/*.test.ts',
  'test/http/named-scopes.test.ts',
  'test/imports/every-store.test.ts',
  'test/management/self-rotation.test.ts',
  'test/operations/**/*.test.ts',
  'test/stores/addresses.test.ts',
  'test/stores/beside-locked-rows.test.ts',
  'test/stores/bulk-beside-changes.test.ts',
  'test/stores/dead-links.test.ts',
  'test/stores/events-examined.test.ts',
  'test/stores/exit.test.ts',
  'test/stores/hand-over.test.ts',
  'test/stores/mysql-contended.test.ts',
  'test/stores/mysql-pool.test.ts',
  'test/stores/postgres-failover.test.ts',
  'test/stores/postgres-pgbouncer.test.ts',
  'test/stores/postgres-pool.test.ts',
  'test/stores/postgres-replica-contract.test.ts',
  'test/stores/postgres-replica.test.ts',
  'test/stores/postgres-serializable.test.ts',
  'test/stores/redis-bulk.test.ts',
  'test/stores/redis-cluster.test.ts',
  'test/stores/redis-outage.test.ts',
  'test/stores/sqlite-host.test.ts',
  'test/stores/sqlite-processes.test.ts',
  'test/stores/stopped-writers.test.ts',
  'test/stores/transactions/**/*.test.ts',
  'test/stores/wide-search.test.ts',
  'test/verbs/changes-take-turns.test.ts',
  'test/verbs/erase.test.ts',
  'test/verbs/gives-way.test.ts',
  'test/verbs/notices-stores.test.ts',
  'test/verbs/owner-gone.test.ts',
  'test/verbs/polluted-fields.test.ts',
  'test/verbs/polluted-names.test.ts',
  'test/verbs/transfer.test.ts',
  'test/verbs/wrong-clocks.test.ts',
]

/** Tests that read or change the whole process: its modules, heap, listeners or exit. Each of these files gets a separate process. */
export const ALONE: string[] = [
  // Loads its own output, with copies of the package.
  'test/cli/init.test.ts',
  'test/http/copies.test.ts',
  'test/latchkey/errors.test.ts',
  'test/latchkey/heap.test.ts',
  // Counts calls into a module.
  'test/policy/examined-once.test.ts',
  'test/verify/narrowed-late.test.ts',
  // Otherwise, any 64 letters in another test would look like a Better Auth key.
  'test/imports/rows.test.ts',
  'test/imports/secrets-in-text.test.ts',
  'test/management/added-field.test.ts',
  // Loads a module again, on a platform that lacks what it needs.
  'test/token/hash.test.ts',
  // A warning is reported once per process, and at most 20 per code, so these files would use up each other's warnings.
  'test/frameworks/unguarded-named.test.ts',
  'test/http/diagnostics.test.ts',
  'test/management/told-what-is-wrong.test.ts',
  'test/stores/added-field.test.ts',
]
