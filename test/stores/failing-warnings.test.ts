import { redisStore } from 'latchkey/stores/redis'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { tellOnce } from '../../adapters/stores/lib/transport.js'
import { instance, mint, verdict } from '../latchkey/harness.js'
import { FAILING_LISTENERS } from '../support/failing-listeners.js'
import { createRedisServer, redisServerMissing } from '../support/redis-server.js'

const missing = redisServerMissing()
const rejected: unknown[] = []
const note = (reason: unknown): void => void rejected.push(reason)

describe.each(FAILING_LISTENERS)('a warning listener of a store that %s', (_, fail) => {
  let warnings = 0
  // Not a mock, because mocks handle the rejection.
  const onWarning = (): unknown => {
    warnings += 1
    return fail()
  }
  beforeEach(() => {
    warnings = 0
    process.on('unhandledRejection', note)
  })
  afterEach(() => {
    process.off('unhandledRejection', note)
    rejected.length = 0
  })

  it.skipIf(missing)(`a Redis store works even if its warning listener fails ${missing ?? ''}`, async () => {
    const server = await createRedisServer(['--appendonly', 'no', '--save', ''])
    onTestFinished(() => server.dispose())
    await server.start()
    const store = redisStore({ url: server.url, onWarning })
    const tokens = instance({ store })
    onTestFinished(() => store.close?.())
    await store.migrate?.()
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(warnings).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve))
    expect(rejected).toEqual([])
  })

  it.each(['postgres', 'mysql'])('a failing warning listener is called once for %s and leaves no unhandled rejection', async (store) => {
    const tell = tellOnce(store, onWarning)
    tell({ address: '203.0.113.9', encrypted: false, verified: false })
    tell({ address: '203.0.113.9', encrypted: false, verified: false })
    expect(warnings).toBe(1)
    await new Promise((resolve) => setTimeout(resolve))
    expect(rejected).toEqual([])
  })
})
