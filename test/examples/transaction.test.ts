import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it('the transaction example creates a token and its row together or not at all', { timeout: 120_000 }, () => {
  const example = fileURLToPath(new URL('../../examples/transaction.ts', import.meta.url))
  const told = execFileSync(process.execPath, ['--import', 'tsx', example], { encoding: 'utf8' })
  expect(told).toBe('committed: true\nrolled back\ntokens: 1, events: token.created\n')
})
