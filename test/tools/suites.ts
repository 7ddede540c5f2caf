/** Every file of tests. */
export const EVERY: string = 'test/**/*.test.ts'
/** Files that look like tests and are run by others. */
export const NOT_OURS: readonly string[] = ['test/consumer/fixtures/**', '**/node_modules/**']

/**
 * Long by nature: processes that are killed or end by themselves, servers of their own, browsers, a contract once more under faults, millions of rows or of
 * schedules. `npm run test:long` runs them.
 */
export const LONG: string[] = [
  'test/activity/consumer-crash.test.ts',
  'test/activity/notices-crash.test.ts',
  'test/activity/usage-million.test.ts',
  'test/audit/seal-crash.test.ts',
  'test/cache/schedules.test.ts',
  'test/cli/doctor.test.ts',
  'test/cli/import-table.test.ts',
  'test/cluster/**/*.test.ts',
  // The rest of that folder is played in a browser.
  'test/dashboard/!(served).test.ts',
  'test/docs/blocks.test.ts',
  'test/extensions/client/browser.test.ts',
  'test/extensions/client/load.test.ts',
  'test/extensions/webhooks/crash.test.ts',
  'test/flood/**/*.test.ts',
  'test/operations/**/*.test.ts',
  'test/stores/dead-links.test.ts',
  'test/stores/exit.test.ts',
  'test/stores/hand-over.test.ts',
  'test/stores/mysql-contended.test.ts',
  'test/stores/postgres-failover.test.ts',
  'test/stores/postgres-pgbouncer.test.ts',
  'test/stores/postgres-replica.test.ts',
  'test/stores/postgres-replica-contract.test.ts',
  'test/stores/postgres-serializable.test.ts',
  'test/stores/sqlite-processes.test.ts',
]

/** What reads or changes the whole process: its modules, its heap, its listeners, its way out. Each such file gets a process of its own. */
export const ALONE: string[] = [
  // Loads what it has written, with copies of the package.
  'test/cli/init.test.ts',
  'test/http/copies.test.ts',
  'test/latchkey/errors.test.ts',
  'test/latchkey/heap.test.ts',
  'test/management/added-field.test.ts',
  // A warning is told once for each process.
  'test/management/told-what-is-wrong.test.ts',
  'test/stores/added-field.test.ts',
]
