import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it } from 'vitest'
import { instance, mint, refusal } from '../latchkey/harness.js'

describe('events, oldest first', () => {
  it('pages through events oldest first, and continues after the last page with later events', async () => {
    const tokens = instance()
    const made = []
    for (let index = 0; index < 7; index += 1) made.push((await mint(tokens, { name: `Token ${index}` })).record.id)
    const seen: (string | undefined)[] = []
    let after: string | undefined
    for (let page = await tokens.system.events({ order: 'oldest', limit: 3 }); page.items.length > 0; ) {
      seen.push(...page.items.map(({ tokenId }) => tokenId))
      expect(page.nextCursor).toBeTypeOf('string')
      after = page.nextCursor
      page = await tokens.system.events({ order: 'oldest', limit: 3, after })
      expect(page.items.length > 0 || page.nextCursor === undefined).toBe(true)
    }
    expect(seen).toEqual(made)
    const { record } = await mint(tokens)
    expect((await tokens.system.events({ order: 'oldest', after })).items.map(({ tokenId }) => tokenId)).toEqual([record.id])
  })

  it('events() lists the same events in both orders, limited to those that the actor can see', async () => {
    const tokens = instance()
    for (const tenantId of ['acme', 'globex', 'acme']) await mint(tokens, { tenantId })
    await tokens.system.revokeAll({ tenantId: 'acme' })
    const ada = tokens.as({ id: 'ada', tenants: ['acme'], manages: 'all' })
    for (const query of [{}, { action: 'token.created' as const }, { tenantId: 'acme' }]) {
      const newest = (await ada.events(query)).items
      expect((await ada.events({ ...query, order: 'oldest' })).items).toEqual(newest.toReversed())
      expect(new Set(newest.map(({ tenantId }) => tenantId))).toEqual(new Set(['acme']))
    }
  })

  it('following events() misses none while two nodes write to one store', async () => {
    const store = sqliteStore(':memory:')
    // A busy machine may take longer than usual.
    const nodes = [instance({ store, deadline: '30s' }), instance({ store, deadline: '30s' })]
    let writing = true
    const work = Promise.all(
      nodes.map(async (node) => {
        for (let index = 0; index < 60; index += 1) await mint(node)
      }),
    ).finally(() => {
      writing = false
    })
    const seen: string[] = []
    let after: string | undefined
    for (let last = false; !last; ) {
      last = !writing
      const page = await nodes[0]?.system.events({ order: 'oldest', limit: 5, after })
      seen.push(...(page?.items.map(({ tokenId = '' }) => tokenId) ?? []))
      after = page?.nextCursor ?? after
      if ((page?.items.length ?? 0) > 0) last = false
    }
    await work
    expect(seen).toHaveLength(120)
    expect(new Set(seen).size).toBe(120)
  })

  it('events() rejects an invalid cursor, a cursor from a different order or filter, and `after` where it has no meaning', async () => {
    const tokens = instance()
    for (let index = 0; index < 3; index += 1) await mint(tokens)
    const { events } = tokens.system
    const newest = (await events({ limit: 1 })).nextCursor
    const oldest = (await events({ order: 'oldest', limit: 1 })).nextCursor
    expect((await events({ order: 'oldest', cursor: oldest })).items).toHaveLength(2)
    expect(await refusal(events({ order: 'oldest', after: newest }))).toBe('invalid_input after')
    expect(await refusal(events({ cursor: oldest }))).toBe('invalid_input cursor')
    expect(await refusal(events({ order: 'oldest', after: oldest, action: 'token.created' }))).toBe('invalid_input after')
    expect(await refusal(events({ order: 'oldest', after: 'x' }))).toBe('invalid_input after')
    expect(await refusal(events({ after: newest }))).toBe('invalid_input after')
    expect(await refusal(events({ order: 'newest', after: newest }))).toBe('invalid_input after')
    expect(await refusal(events({ order: 'oldest', after: oldest, cursor: oldest }))).toBe('invalid_input after')
    expect(await refusal(events({ order: 'up' as 'oldest' }))).toBe('invalid_input order')
  })
})
