import type { FaultReport } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, until, warm } from './harness.js'

type Channel = { wake(): void; lose(error: unknown): void }

/** An instance over a store whose wake-up channel the test controls. */
async function follow() {
  const faults: FaultReport[] = []
  const lines: string[] = []
  const { subscribe: _, ...rest } = memoryStore()
  let channel: Channel | undefined
  const store: TokenStore = {
    ...rest,
    subscribe: (wake, lost) => {
      channel = { wake, lose: (error) => lost?.(error) }
      return () => undefined
    },
  }
  const tokens = instance({ store, onError: (fault) => faults.push(fault), logger: { error: (line) => lines.push(line) } })
  await warm(tokens, (await mint(tokens)).token)
  await until(() => channel !== undefined)
  const wakeUps = async (): Promise<unknown> => (await tokens.health()).feed.wakeUps
  return { tokens, faults, lines, channel: channel as Channel, wakeUps }
}

describe('the wake-up channel', () => {
  it('a lost wake-up channel is reported once and shows in health() until it is back', async () => {
    const { tokens, faults, lines, channel, wakeUps } = await follow()
    expect(await wakeUps()).toBe(undefined)
    channel.wake()
    expect(await wakeUps()).toBe('ok')
    for (let turn = 0; turn < 5; turn += 1) channel.lose(Object.assign(new Error('host db, user ada'), { code: 'ECONNRESET' }))
    expect(await wakeUps()).toBe('lost')
    expect(faults).toMatchObject([{ where: 'store.subscribe', error: { cause: 'Error ECONNRESET' } }])
    expect(lines.join()).toContain('LATCHKEY_STORE_FAILED store.subscribe')
    expect(lines.join()).not.toContain('ada')
    expect(await tokens.health()).toMatchObject({ ok: true, feed: { ok: true } })
    channel.wake()
    expect(await wakeUps()).toBe('ok')
    channel.lose(undefined)
    expect(faults).toHaveLength(2)
  })

  it('a wake-up channel lost after close() is not reported', async () => {
    const { tokens, faults, channel } = await follow()
    await tokens.close()
    channel.lose(new Error('closed'))
    expect(faults).toEqual([])
  })

  it('a wake-up channel that cannot be opened is reported once, however often it is retried', async () => {
    const faults: FaultReport[] = []
    let tries = 0
    const store: TokenStore = {
      ...memoryStore(),
      subscribe: () => {
        tries += 1
        throw new Error('no')
      },
    }
    const tokens = instance({ store, cache: { maxStaleness: 0.05 }, onError: (fault) => faults.push(fault) })
    await tokens.verify((await mint(tokens)).token)
    await until(() => tries > 3)
    expect(faults.map(({ where }) => where)).toEqual(['store.subscribe'])
    expect((await tokens.health()).feed.wakeUps).toBe('lost')
  })

  it('health() does not mention wake-ups if the store has none', async () => {
    const { subscribe: _, ...store } = memoryStore()
    const tokens = instance({ store })
    await warm(tokens, (await mint(tokens)).token)
    expect((await tokens.health()).feed).not.toHaveProperty('wakeUps')
  })
})
