import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it('the leak report example shows how a report revokes a token', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await import('../../examples/leak-report.js')
  expect(lines).toEqual([
    'with the token: 200',
    expect.stringContaining('it was found at https://github.com/octocat/hello/blob/main/.env'),
    expect.stringContaining('"label":"true_positive"'),
    'with the token: 401',
  ])
})
