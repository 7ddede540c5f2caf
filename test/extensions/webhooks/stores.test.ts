import { webhooks } from 'latchkey/webhooks'
import { describe, expect, it, vi } from 'vitest'
import { instance, mint, trail } from '../../latchkey/harness.js'
import { everyStore } from '../../support/every-store.js'
import { receiver } from './receiver.js'

const HOUR = 3_600_000

describe.each(await everyStore())('webhooks on $kind', ({ skip, place }) => {
  it.skipIf(skip)(
    'webhooks deliver every event in order to an unreliable receiver while clocks jump, and list dead letters',
    { timeout: 120_000 },
    async () => {
      const open = await place()
      let off = 0
      const clock = (): number => Date.now() + off
      const [one, two] = [instance({ store: open(), clock }), instance({ store: open(), clock: () => Date.now() + 5 * HOUR })]
      for (let turn = 0; turn < 8; turn += 1) await mint(one, { name: `Token ${turn}` })
      const expected = await trail(one)
      const crm = await receiver(({ id }, response, turn) => {
        off = (turn % 3) * HOUR - HOUR
        // One event always fails; the first attempts at the others are unanswered, rejected or disconnected.
        if (id === expected[5]) return response.writeHead(500).end()
        if (turn === 1) return undefined
        if (turn === 2) return response.writeHead(404).end()
        if (turn === 3) return response.destroy()
        return setTimeout(() => response.writeHead(204).end(), 20)
      })
      const start = (tokens: typeof one) =>
        webhooks(tokens, {
          webhookKey: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P',
          endpoints: [{ id: 'crm', url: crm.url, from: 'start' }],
          allowPrivate: ['127.0.0.1'],
          retry: { attempts: 4, first: 0.02, longest: 1 },
          timeout: 0.5,
        })
      const hooks = [start(one), start(two)]
      await vi.waitUntil(() => crm.ids().at(-1) === expected.at(-1), { timeout: 50_000, interval: 20 })
      expect([...new Set(crm.ids())]).toEqual(expected)
      expect(crm.ids().filter((id) => id === expected[0])).toHaveLength(4)
      for (const each of hooks) expect((await each.deadLetters()).map(({ eventId }) => eventId)).toEqual([expected[5]])
      crm.behave((_, response) => response.writeHead(204).end())
      await Promise.all(hooks.map((each) => each.stop()))
    },
  )
})
