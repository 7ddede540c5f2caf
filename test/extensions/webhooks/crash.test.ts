import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openAt } from '../../activity/crash/open.js'
import { everyKind, kill, newPlace, start } from '../../activity/crash/processes.js'
import { trail } from '../../latchkey/harness.js'
import { slowReceiver } from './receiver.js'

const SENDER = new URL('../../activity/crash/sender.ts', import.meta.url)
const PATIENCE_MS = 120_000

const when = (what: () => boolean) => vi.waitUntil(what, { timeout: PATIENCE_MS, interval: 25 })

describe.each(await everyKind())('webhooks of a killed process, in $kind', ({ kind, skip }) => {
  it.skipIf(skip)(
    'webhooks lose no event when their process is killed, and repeated events keep their ID',
    async () => {
      const place = await newPlace(kind)
      const tokens = openAt(place)
      onTestFinished(() => tokens.close())
      const crm = await slowReceiver()
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
      expect(crm.mostAtOnce()).toBe(1)
    },
    PATIENCE_MS,
  )
})
