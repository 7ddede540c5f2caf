import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

it('the import example moves 10,000 keys from another table while clients keep calling and none is refused', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  await import('../../examples/importing.js')
  expect(lines).toEqual([
    'dry run: 9900 of 10000 keys, 100 revoked ones left out, 0 problems',
    'imported: 9900, problems: 0',
    'before, during and after the move: calls answered, 0 refused',
    'rotated with an overlap: old key 200, new token 200',
    'revoked: 401, revoked in the old table: 401',
    'imported again: 9900 were there, 0 new; still revoked: 401',
  ])
  expect(warned.mock.calls).toEqual([])
}, 120_000)
