import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const EXAMPLE = fileURLToPath(new URL('../../examples/sealed-audit.ts', import.meta.url))

it('the sealed audit log example detects rewritten events and proves that a single event is genuine', { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', EXAMPLE])
  expect(stdout).toContain('as it was written: true')
  expect(stdout).toContain('after it was changed: false changed at 1, changed at 2')
  expect(stdout).toContain('proof of the revocation alone: true')
})
