import { type Latchkey, latchkey } from 'latchkey'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SCOPES, type Scope } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const stores = await everyStore()

describe.each(stores)('a revoked token of an erased owner on $kind', ({ place, skip }) => {
  // Prefixes may also be words that a store uses in its keys.
  it.skipIf(skip).each(['acme', 'owner', 'person', 'tenant'])(
    'leaves no address when it is used again, with the prefix %s',
    async (prefix) => {
      const open = await place()
      const node = (): Latchkey<Scope> => {
        const tokens = latchkey({ prefix, store: open(), scopes: SCOPES, logger: false })
        onTestFinished(() => tokens.close().catch(() => undefined))
        return tokens
      }
      const [here, there] = [node(), node()]
      const { token, record } = await here.system.create({ name: 'Laptop', scopes: ['stock:read'], ownerId: 'bob', tenantId: 't' })
      await there.verify(token, { ip: '203.0.113.6' })
      await there.flush()
      expect((await here.system.usage(record.id)).addresses).toHaveLength(1)
      await here.system.ownerGone({ ownerId: 'bob' })
      // The other node counts a use before the erasure, but writes it afterwards.
      await there.verify(token, { ip: '203.0.113.7' })
      await here.system.erase({ ownerId: 'bob' })
      await there.flush()
      expect((await here.system.usage(record.id)).addresses).toEqual([])
    },
  )
})
