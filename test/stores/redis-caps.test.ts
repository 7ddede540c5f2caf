import { Redis } from 'ioredis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createBulk } from '../../adapters/stores/redis/bulk.js'
import type { IoredisClient } from '../../adapters/stores/redis/client.js'
import { givenConnection } from '../../adapters/stores/redis/connection.js'
import { scripts } from '../../adapters/stores/redis/scripts.js'
import { commitChange } from '../../adapters/stores/redis/tokens.js'
import type { TokenCap, TokenFilter } from '../../src/store/port.js'
import { storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

type Counted = { readonly prefix?: string; readonly ownerId?: string; readonly tenantId?: string }

const redis = await service('redis')

describe.skipIf(redis.skip)(`caps during a bulk revocation in Redis ${redis.skip ?? ''}`, () => {
  const admin = new Redis(redis.url ?? '', { lazyConnect: true })
  const keyPrefix = newKeyPrefix()
  const stamp = { revokedAt: 2_000_000_000_000, revokedBy: 'bob', revokedCode: 'bulk', bulkId: 'B'.repeat(16) } as const
  const feed = { history: 1_000, channel: `${keyPrefix}wake` }
  // No revocation is ever written into its tokens.
  const client: IoredisClient = {
    status: 'ready',
    evalsha: (sha, count, ...args) => (sha === scripts.drive.sha ? Promise.reject(new Error('gone')) : admin.evalsha(sha, count, ...args)),
    eval: (source, count, ...args) => admin.eval(source, count, ...args),
    mget: (...keys) => admin.mget(...keys),
  }
  const connection = givenConnection(client, keyPrefix)
  const settle = (): Promise<void> => Promise.reject(new Error('waits for the revocation'))

  afterEach(() => removeKeys(admin, keyPrefix))
  afterAll(() => admin.disconnect())

  /** Records a revocation that is larger than one script may write. One token matches it. */
  async function beginRevoking(filter: Omit<TokenFilter, 'prefix'>): Promise<void> {
    const { tenantIds: [tenantId] = [], ownerId, createdBy = 'carol' } = filter
    const matching = storedToken({ createdBy, ...(tenantId !== undefined && { tenantId }), ...(ownerId !== undefined && { ownerId }) })
    expect(await commitChange(connection, { inserts: [matching], events: [] }, feed, settle)).toEqual({ ok: true })
    const bulk = createBulk(connection, feed, { atOnce: -1, stepSize: 1, awaited: 1 })
    const event = storedEvent({ action: 'tokens.revoked', bulkId: stamp.bulkId })
    expect(await bulk.revoke({ prefix: 'acme', ...filter }, stamp, event)).toMatchObject({ count: 1 })
    expect(await admin.exists(`${keyPrefix}job`)).toBe(1)
  }

  /** Creates one token, if the cap allows two. */
  async function createCounted(counted: Counted): Promise<unknown> {
    const cap = { prefix: 'acme', max: 2, now: 0, ...counted } as TokenCap
    return commitChange(connection, { inserts: [storedToken({ prefix: 'acme', ...counted })], caps: [cap], events: [] }, feed, settle)
  }

  const oddTenant = 'a","b'
  const cases: readonly { revoked: Omit<TokenFilter, 'prefix'>; free: readonly Counted[]; waiting: readonly Counted[] }[] = [
    {
      revoked: {},
      free: [
        { prefix: 'acm', tenantId: 'a' },
        { prefix: 'acme_test', ownerId: 'ann' },
      ],
      waiting: [{ tenantId: 'a' }, { tenantId: 'a', ownerId: 'ann' }, { ownerId: 'ann' }],
    },
    {
      revoked: { tenantIds: ['a', 'c', oddTenant] },
      free: [
        { tenantId: 'b' },
        { tenantId: 'b', ownerId: 'ann' },
        { tenantId: 'b', ownerId: 'a' },
        { ownerId: 'a' },
        { tenantId: 'a","' },
        { prefix: 'acme_test', tenantId: 'a' },
      ],
      waiting: [
        { tenantId: 'a' },
        { tenantId: 'c' },
        { tenantId: oddTenant },
        { tenantId: 'a', ownerId: 'ann' },
        { tenantId: oddTenant, ownerId: 'ann' },
      ],
    },
    {
      revoked: { ownerId: 'ann' },
      free: [{ tenantId: 'a', ownerId: 'bob' }, { tenantId: 'ann', ownerId: 'bob' }, { ownerId: 'bob' }, { ownerId: 'x","ann' }],
      waiting: [{ tenantId: 'a' }, { tenantId: 'a', ownerId: 'ann' }, { ownerId: 'ann' }],
    },
    {
      revoked: { tenantIds: ['a'], ownerId: 'ann' },
      free: [{ tenantId: 'b' }, { tenantId: 'a', ownerId: 'bob' }, { tenantId: 'b', ownerId: 'ann' }, { ownerId: 'ann' }],
      waiting: [{ tenantId: 'a' }, { tenantId: 'a', ownerId: 'ann' }],
    },
    {
      revoked: { tenantIds: ['a'], createdBy: 'carol' },
      free: [{ tenantId: 'b' }, { tenantId: 'b', ownerId: 'ann' }],
      waiting: [{ tenantId: 'a' }, { tenantId: 'a', ownerId: 'ann' }],
    },
    {
      revoked: { createdBy: 'carol' },
      free: [{ prefix: 'acme_test', tenantId: 'a' }],
      waiting: [{ tenantId: 'b' }, { tenantId: 'a', ownerId: 'ann' }, { ownerId: 'ann' }],
    },
  ]

  it.each(cases)(
    'Redis creates a token immediately unless the revocation of $revoked may revoke tokens that its cap counts',
    async ({ revoked, free, waiting }) => {
      await beginRevoking(revoked)
      for (const counted of waiting)
        await expect(createCounted(counted), JSON.stringify(counted)).rejects.toThrow('waits for the revocation')
      for (const counted of free) expect(await createCounted(counted), JSON.stringify(counted)).toEqual({ ok: true })
      expect(await admin.exists(`${keyPrefix}job`)).toBe(1)
    },
  )

  it('a cap is still enforced while the tokens of another tenant are being revoked', async () => {
    await beginRevoking({ tenantIds: ['a'] })
    expect(await createCounted({ tenantId: 'b' })).toEqual({ ok: true })
    expect(await createCounted({ tenantId: 'b' })).toEqual({ ok: true })
    expect(await createCounted({ tenantId: 'b' })).toEqual({ ok: false, exceeded: 0 })
  })

  it('a change waits if the revocation may revoke tokens that only its second cap counts', async () => {
    await beginRevoking({ ownerId: 'ann' })
    const change = {
      inserts: [storedToken({ tenantId: 'a', ownerId: 'bob' })],
      caps: [
        { prefix: 'acme', tenantId: 'a', ownerId: 'bob', max: 1, now: 0 },
        { prefix: 'acme', tenantId: 'a', max: 1, now: 0 },
      ],
      events: [],
    }
    await expect(commitChange(connection, change, feed, settle)).rejects.toThrow('waits for the revocation')
  })
})
