import { afterEach, describe, expect, it, vi } from 'vitest'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

describe.skipIf(redis.skip)(`the Redis example ${redis.skip ?? ''}`, () => {
  const url = redis.url ?? ''
  const keyPrefix = newKeyPrefix()

  afterEach(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    await withRedis(url, (client) => removeKeys(client, keyPrefix))
  })

  it('the Redis example shows a token that works on two nodes and ends on both when one node revokes it', async () => {
    vi.stubEnv('REDIS_URL', url)
    vi.stubEnv('KEY_PREFIX', keyPrefix)
    const lines: string[] = []
    vi.spyOn(console, 'log').mockImplementation((line) => lines.push(String(line)))
    vi.spyOn(console, 'error').mockImplementation((line) => lines.push(`failed: ${line}`))
    await import('../../examples/redis.js')
    const told = lines.join('\n')
    expect(told).not.toContain('failed')
    expect(told).toContain('berlin: accepted, for Warehouse robot')
    expect(told).toContain('lisbon: accepted, for Warehouse robot')
    expect(told).toContain('berlin: refused, token_revoked')
    expect(told).toContain('lisbon: refused, token_revoked')
    expect(told).toMatch(/token\.revoked by system: the robot was sold\n.* token\.created by system/)
  })
})
