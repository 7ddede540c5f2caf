import { resolve } from 'node:path'
import { createVitest } from 'vitest/node'
import type { Run } from './core-tests.js'

// Runs the tests that its parent process names, in the current folder, and answers with those that failed.
const bail = process.argv.includes('--bail') ? 1 : 0
const vitest = await createVitest('test', {
  watch: false,
  bail,
  silent: true,
  isolate: false,
  pool: 'threads',
  fileParallelism: false,
  reporters: [{}],
})
await vitest.standalone()

process.on('message', ({ tests, changed }: Run) => {
  void failures(tests, changed).then((failed) => process.send?.(failed))
})

async function failures(tests: readonly string[], changed: string | undefined): Promise<readonly string[]> {
  if (changed !== undefined) vitest.invalidateFile(resolve(changed))
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(await vitest.globTestSpecifications([...tests]))
  const failed = testModules.filter((module) => module.state() === 'failed').map(({ relativeModuleId }) => relativeModuleId)
  // An error outside any test, such as a rejection that nothing handles, fails the run.
  return failed.length === 0 && unhandledErrors.length > 0 ? tests : failed
}
