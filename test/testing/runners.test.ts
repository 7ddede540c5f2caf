import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

it("the store contract runs in Node's test runner", async () => {
  const file = fileURLToPath(new URL('runners/node-test.ts', import.meta.url))
  // Without this variable, Node's runner reports as in a terminal instead of to the outer runner.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--test', '--test-reporter', 'tap', file], { env })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(80)
}, 120_000)
