import { describe, expect, it } from 'vitest'
import { sqlStores } from './sql/own-stores.js'

for (const { kind, skip, open } of await sqlStores()) {
  describe.skipIf(skip)(`usage sources of the ${kind} store ${skip ?? ''}`, () => {
    it('forgets usage sources only beyond ten thousand, least recently seen first', async () => {
      const { store, query } = await open()
      const send = async (nodeId: string): Promise<boolean> =>
        await store.recordUsage({ nodeId, seq: 1, at: 1, counts: [], addresses: [], lastUses: [] })
      const rows = (from: number, to: number): string =>
        Array.from({ length: to - from }, (_, at) => `('n${from + at}', 1, ${from + at})`).join(', ')
      const insert = (from: number, to: number): Promise<unknown> =>
        query(`insert into latchkey_usage_sources (node_id, seq, seen_at) values ${rows(from, to)}`)
      await send('early')
      await insert(1, 9_999)
      expect(await send('late')).toBe(true)
      expect(await send('n1')).toBe(false)
      await insert(10_001, 10_003)
      expect(await send('latest')).toBe(true)
      expect(await send('n10002')).toBe(false)
      expect(await send('early')).toBe(false)
      const [left] = await query('select count(*) as rows_left from latchkey_usage_sources')
      expect(Number(left?.rows_left)).toBe(10_000)
      expect(await send('n2')).toBe(true)
    })
  })
}
