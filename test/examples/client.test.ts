import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('the client example rotates under load and continues after a restart', { timeout: 120_000 }, async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'examples/client.ts'], { cwd: root, timeout: 50_000 })
  expect(stdout).toBe('4 tokens worked, 0 requests failed\nafter a restart: 200\nthe file holds a token that works: true\n')
})
