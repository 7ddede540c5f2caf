import { type Latchkey, latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mint, SCOPES, type Scope, until } from '../latchkey/harness.js'
import { everyStore, type OpenStore } from '../support/every-store.js'

const stores = await everyStore()

function nodeOf(open: OpenStore): Latchkey<Scope> {
  const tokens = latchkey({ prefix: 'acme_test', store: open(), scopes: SCOPES, logger: false, deadline: '30s' })
  onTestFinished(() => tokens.close().catch(() => undefined))
  return tokens
}

describe.each(stores)('the trail of a pruned token on $kind', ({ place, skip }) => {
  it.skipIf(skip)(
    'the trail of a pruned token ends with its revocation and its removal, for everyone who could see the token',
    async () => {
      const tokens = nodeOf(await place())
      const boss = tokens.as({ id: 'boss', tenants: ['acme'], manages: 'all' })
      const ada = tokens.as({ id: 'ada', tenants: ['acme'], manages: 'own' })
      const other = tokens.as({ id: 'other', tenants: ['umbrella'], manages: 'all' })
      const mine = await ada.create({ name: 'x', tenantId: 'acme', ownerId: 'ada', scopes: ['stock:read'] })
      const alone = await boss.create({ name: 'x', tenantId: 'acme', scopes: ['stock:read'] })
      const elsewhere = await mint(tokens, { tenantId: 'umbrella' })
      await boss.revoke(alone.record.id)
      for (const tenantId of ['acme', 'umbrella']) await tokens.system.revokeAll({ tenantId, reason: 'incident' })
      const trail = async (who: typeof boss, id: string) =>
        (await who.events({ tokenId: id })).items.map(({ action }) => action).toReversed()
      const before = ['token.created', 'tokens.revoked']
      expect(await trail(boss, mine.record.id)).toEqual(before)
      const revokedAt = Date.now()
      await until(() => Date.now() > revokedAt)
      expect(await tokens.as({ id: 'operator', tenants: '*', manages: 'all' }).prune({ before: new Date() })).toEqual({ count: 3 })
      for (const who of [boss, ada, tokens.system])
        expect(await trail(who as typeof boss, mine.record.id)).toEqual([...before, 'token.pruned'])
      expect(await trail(boss, alone.record.id)).toEqual(['token.created', 'token.revoked', 'token.pruned'])
      expect(await trail(ada, alone.record.id)).toEqual([])
      for (const id of [mine.record.id, alone.record.id]) expect(await trail(other, id)).toEqual([])
      const seen = (await boss.events({ action: 'token.pruned' })).items
      expect(new Set(seen.map(({ tokenId }) => tokenId))).toEqual(new Set([mine.record.id, alone.record.id]))
      expect(seen.every(({ actorId, tenantId }) => actorId === 'operator' && tenantId === 'acme')).toBe(true)
      expect(await trail(other, elsewhere.record.id)).toEqual([...before, 'token.pruned'])
    },
  )

  it.skipIf(skip)('shows how a token ended even after the owner of the token is erased', async () => {
    const tokens = nodeOf(await place())
    const boss = tokens.as({ id: 'boss', tenants: ['acme'], manages: 'all' })
    const { record } = await boss.create({ name: 'x', tenantId: 'acme', ownerId: 'zoe', scopes: ['stock:read'] })
    await tokens.system.revokeAll({ tenantId: 'acme', reason: 'incident' })
    const revokedAt = Date.now()
    await until(() => Date.now() > revokedAt)
    await tokens.system.prune({ before: new Date() })
    await tokens.system.erase({ ownerId: 'zoe' })
    const { items } = await boss.events({ tokenId: record.id })
    expect(items.map(({ action, ownerId }) => [action, ownerId])).toEqual([
      ['token.pruned', undefined],
      ['tokens.revoked', undefined],
      ['token.created', undefined],
    ])
  })
})

it('outsiders who ask for a removed token displace no events in its trail, however often they ask', async () => {
  const store = sqliteStore(':memory:')
  const nodeOn = () => latchkey({ prefix: 'acme_test', store, scopes: SCOPES, logger: false, usage: { flushEvery: '1m' } })
  const tokens = nodeOn()
  onTestFinished(() => tokens.close().catch(() => undefined))
  const boss = tokens.as({ id: 'boss', tenants: ['acme'], manages: 'all' })
  const { record } = await mint(tokens, { tenantId: 'acme' })
  await boss.revokeAll({ tenantId: 'acme' })
  const revokedAt = Date.now()
  await until(() => Date.now() > revokedAt)
  await tokens.system.prune({ before: new Date() })
  const whole = ['token.pruned', 'tokens.revoked', 'token.created']
  const trail = async (): Promise<readonly string[]> => (await boss.events({ tokenId: record.id })).items.map(({ action }) => action)
  expect(await trail()).toEqual(whole)
  // One process records the attempts of 1,000 actors a minute, so each round stands for a minute.
  for (let minute = 0; minute < 11; minute += 1) {
    const node = nodeOn()
    for (let at = 0; at < 1000; at += 1) await node.as({ id: `eve${at}`, tenants: [`evil${at}`], manages: 'own' }).get(record.id)
    await node.close()
  }
  expect(await trail()).toEqual(whole)
  expect((await tokens.system.events({ tokenId: record.id })).items.map(({ action }) => action)).toEqual(whole)
  const [refused] = (await tokens.system.events({ action: 'management.refused', limit: 1 })).items
  expect(refused).toMatchObject({ code: 'not_found', details: { attempt: 'get', tokenId: record.id } })
  expect(refused).not.toHaveProperty('tokenId')
})
