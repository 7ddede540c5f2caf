import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it('the example of SCIM ends the tokens of whoever left, by word of the directory alone', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await import('../../examples/scim.js')
  expect(lines).toEqual([
    'will end: Laptop of Ada',
    'ada left, tokens ended: 1',
    'by Bob: 403, by the directory: 204',
    'Ada: token_revoked, Bob: ok',
  ])
})
