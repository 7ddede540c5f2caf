import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'

const EXAMPLE = fileURLToPath(new URL('../../examples/notices.ts', import.meta.url))

it('the notices example mails the owner before and after a token expires', { timeout: 120_000 }, async () => {
  const example = spawn(process.execPath, ['--import', 'tsx', EXAMPLE], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void example.kill('SIGKILL'))
  const lines: string[] = []
  for await (const line of createInterface({ input: example.stdout })) if (lines.push(line) === 2) break
  expect(lines[0]).toMatch(/^to ada@example\.com, message \w{16}: Your token ERP \(acme_live_\w{4}…\) ends at \d{4}-/)
  expect(lines[1]).toMatch(/^to ada@example\.com, message \w{16}: Your token ERP \(acme_live_\w{4}…\) ended at \d{4}-/)
  const ended = once(example, 'exit')
  example.kill('SIGTERM')
  expect((await ended)[0]).toBe(0)
})
