import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

it('the store contract runs in the test runner of Node', async () => {
  const file = fileURLToPath(new URL('runners/node-test.ts', import.meta.url))
  // Started like this, Node's runner reports as it would in a terminal, not to the runner around it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--test', '--test-reporter', 'tap', file], { env })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(80)
}, 60_000)
