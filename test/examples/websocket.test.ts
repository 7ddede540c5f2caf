import { expect, it, vi } from 'vitest'

it('the WebSocket example connects with a header and with a single-use ticket, and disconnects when the token is revoked', async () => {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((...words) => void lines.push(words.join(' ')))
  await import('../../examples/websocket.js')
  log.mockRestore()
  expect(lines).toEqual([
    'by its token: bolts: 1200',
    'by a ticket: bolts: 1200 (stock.v1)',
    'with the same ticket again: Unexpected server response: 401',
    'closed: 3000 token_revoked',
    'closed: 3000 token_revoked',
  ])
})
