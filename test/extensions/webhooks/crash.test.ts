import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openAt } from '../../activity/crash/open.js'
import { KINDS, kill, newPlace, start, trail } from '../../activity/crash/processes.js'
import { receiver } from './receiver.js'

const SENDER = fileURLToPath(new URL('../../activity/crash/sender.ts', import.meta.url))
const PATIENCE_MS = 120_000

async function when(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 25))
}

describe('webhooks whose process is killed in the middle', () => {
  it.each(KINDS)(
    'lose no event in %s: another process goes on in order, and what comes again has the same id',
    async (kind) => {
      const place = await newPlace(kind)
      if (place === undefined) return
      const tokens = openAt(place)
      onTestFinished(() => tokens.close())
      let [busy, most] = [0, 0]
      const crm = await receiver(async (_, response) => {
        busy += 1
        most = Math.max(most, busy)
        await new Promise((resolve) => setTimeout(resolve, 2))
        busy -= 1
        response.writeHead(204).end()
      })
      let writing = true
      const writer = (async () => {
        for (let turn = 0; turn < 300 && writing; turn += 1) await tokens.system.create({ name: `Token ${turn}`, scopes: ['stock:read'] })
      })()
      const first = await start(SENDER, place, crm.url)
      await when(() => crm.seen.length >= 20)
      await start(SENDER, place, crm.url)
      const before = crm.seen.length
      await when(() => crm.seen.length >= before + 10)
      await kill(first)
      const killedAt = crm.seen.length
      await when(() => crm.seen.length > killedAt)
      writing = false
      await writer
      const expected = await trail(tokens)
      await when(() => new Set(crm.ids()).size >= expected.length)
      expect([...new Set(crm.ids())]).toEqual(expected)
      expect(most).toBe(1)
    },
    PATIENCE_MS,
  )
})
