import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { verdict } from '../../latchkey/harness.js'
import { ownFolder } from '../../stores/sql/databases.js'
import { everyStore } from '../../support/every-store.js'
import { contentOf, fill, nodeOver } from './world.js'

const stores = await everyStore()

async function sqlite() {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  return () => sqliteStore(folder.path('other.db'))
}

describe.each(stores)('$kind', ({ kind, place, skip }) => {
  it.skipIf(skip).each(['to', 'from'] as const)(
    'copy() moves all data %s another store, and the new store takes over',
    async (direction) => {
      const memory = memoryStore()
      const other = kind === 'sqlite' ? () => memory : await sqlite()
      const [source, target] = direction === 'to' ? [other, await place()] : [await place(), other]
      const [old, to] = [source(), target()]
      const before = nodeOver(old)
      const tokens = await fill(before)
      const told = await contentOf(before)

      const first = await copy(before, nodeOver(to))
      expect(first.parts).toMatchObject({ tokens: { count: 14, written: 14 }, seals: { count: 1 }, usage: { count: 14 } })
      const late = await before.system.create({ name: 'late', scopes: ['stock:write'] })
      await before.verify(tokens.used.token, { ip: '10.0.0.3' })
      await before.flush()

      const fenced = await copy(before, nodeOver(to), { step: 'fence' })
      expect(fenced.parts?.tokens).toMatchObject({ count: 15 })
      const after = nodeOver(to)
      for (const node of [before, after]) {
        expect(await verdict(node.verify(tokens.used.token))).toBe('ok')
        await expect(node.system.revoke(late.record.id)).rejects.toMatchObject({ code: 'store_moving', status: 503 })
      }

      const opened = await copy(before, nodeOver(to), { step: 'open' })
      expect([opened.damagedEvents, opened.parts?.tokens.hash]).toEqual([[], fenced.parts?.tokens.hash])
      await expect(before.verify(tokens.used.token)).rejects.toMatchObject({ code: 'store_unavailable' })
      const now = nodeOver(target())
      for (const [token, code] of [
        [tokens.used.token, 'ok'],
        [tokens.imported.token, 'ok'],
        [tokens.successor.token, 'ok'],
        [late.token, 'ok'],
        [tokens.revoked.token, 'token_revoked'],
        [tokens.off.token, 'token_inactive'],
        [tokens.bulk.token, 'token_revoked'],
      ] as const)
        expect(await verdict(now.verify(token))).toBe(code)
      const { records, events } = await contentOf(now)
      expect(records.filter(({ name }) => name !== 'late').map(({ lastUsedAt: _, lastUsedIp: __, ...record }) => record)).toEqual(
        told.records.map(({ lastUsedAt: _, lastUsedIp: __, ...record }) => record),
      )
      // A slow machine writes the refusals above before it reads the audit log.
      expect(events.filter(({ action }) => action !== 'token.refused').slice(1)).toEqual(told.events)
      expect((await now.system.usage(tokens.used.record.id)).addresses.map(({ ip }) => ip).sort()).toEqual([
        '10.0.0.1',
        '10.0.0.2',
        '10.0.0.3',
      ])
      expect(await now.system.verifyAudit()).toMatchObject({ ok: true })
      await now.system.revoke(late.record.id)
      expect(await verdict(now.verify(late.token))).toBe('token_revoked')
      const handled: string[] = []
      // Refusals of the verifications above reach the store only with the next flush.
      const consumer = now.system.consume('siem', ({ action, tokenId }) => {
        if (action !== 'token.refused') handled.push(`${action} ${tokenId}`)
      })
      await expect.poll(() => handled, { timeout: 30_000 }).toEqual([`token.created ${late.record.id}`, `token.revoked ${late.record.id}`])
      await consumer.stop()
    },
    120_000,
  )
})
