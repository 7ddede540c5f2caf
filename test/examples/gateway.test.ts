import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it('the gateway example shows which service accepts which token', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await import('../../examples/gateway.js')
  expect(lines).toEqual([
    'exchanged: valid for 300 seconds',
    'stock with the signed token: 200 {"service":"stock","caller":"ERP"}',
    expect.stringMatching(/^billing with the token for stock: 401 .*"token_invalid"/),
    expect.stringMatching(/^stock with the API token: 401 .*"token_invalid"/),
  ])
})
