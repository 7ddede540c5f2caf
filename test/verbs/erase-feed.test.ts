import { describe, expect, it, onTestFinished } from 'vitest'
import type { Change, FeedPage, TokenStore } from '../../src/store/port.js'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { instance, mint, until, warm } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const ID = 'q7-zoe-person'

/** Calls `beforeCut` immediately before each change that cuts the feed. */
function withCuts(store: TokenStore, beforeCut: () => Promise<unknown>): TokenStore {
  return interceptStore(store, async ({ method, args }, proceed) => {
    if (method === 'commit' && (args[0] as Change).cutsFeed !== undefined) await beforeCut()
    return await proceed()
  })
}

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`the change feed after an erasure on ${kind} ${skip ?? ''}`, () => {
    it('erasing an owner cuts the feed only up to the position that every live node has read', async () => {
      const open = await place()
      const direct = open()
      onTestFinished(() => direct.close?.())
      const pages: FeedPage[] = []
      const there = instance({
        store: interceptStore(open(), async ({ method }, proceed) => {
          const answer = await proceed()
          if (method === 'changes') pages.push(answer as FeedPage)
          return answer
        }),
      })
      const other = await mint(there, { tenantId: 't2' })
      let read = ''
      let late = ''
      const here = instance({
        store: withCuts(open(), async () => {
          read = (await direct.changes(undefined, 1)).cursor
          late = (await mint(there, { tenantId: 't2' })).record.id
        }),
      })
      const { cursor: start } = await direct.changes(undefined, 1)
      const { record } = await mint(here, { ownerId: ID, tenantId: 't1' })
      await here.system.ownerChanged({ ownerId: ID, tenantId: 't1' })
      await here.system.ownerGone({ ownerId: ID, tenantId: 't1' })
      expect((await open.dump()).includes(ID)).toBe(true)
      await warm(there, other.token)
      pages.length = 0

      for (const erased of [1, 0]) {
        expect(await here.system.erase({ ownerId: ID, tenantId: 't1' })).toMatchObject({ tokens: erased })
        const page = await direct.changes(read, 1000)
        expect(page).toMatchObject({ everything: false, more: false })
        expect(page.ids).toContain(late)
        await until(() => pages.some(({ ids }) => ids.includes(late)))
        expect(pages.filter(({ everything }) => everything)).toEqual([])
        expect(await direct.changes(start, 1000)).toMatchObject({ ids: [], owners: [], bulk: [], everything: true })
        expect((await open.dump()).includes(ID)).toBe(false)
      }
      expect(await here.system.get(record.id)).toMatchObject({ name: 'erased' })
    })
  })
}
