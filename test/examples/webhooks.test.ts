import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it('the webhooks example shows an event that arrives once the receiver is back, and a refused forgery', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await import('../../examples/webhooks.js')
  expect(lines).toEqual(['the receiver is down', 'the receiver got token.revoked: laptop lost', 'a forged request: 400', 'dead letters: 0'])
})
