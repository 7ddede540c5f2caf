import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('an integration rotates itself under load without a failed request', { timeout: 120_000 }, async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'examples/self-rotation.ts'], {
    cwd: root,
    timeout: 50_000,
  })
  expect(stdout).toMatch(/rotated 4 of 4\n[1-9]\d* requests succeeded, 0 failed, 0 old tokens still work\n/)
})
