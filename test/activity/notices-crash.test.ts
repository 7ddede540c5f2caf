import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuditEvent } from '../../src/model/event.js'
import type { Look } from './crash/notifier.js'
import { openAt } from './crash/open.js'
import { everyKind, newPlace, start } from './crash/processes.js'

const NOTIFIER = new URL('./crash/notifier.ts', import.meta.url)
const DAY = 86_400_000
const TOKENS = 60

describe.each(await everyKind())('notices on $kind, written by nodes that are killed in the meantime', ({ kind, skip }) => {
  it.skipIf(skip)(
    'writes each notice once per token and threshold, whichever node continues after a crash',
    async () => {
      const place = await newPlace(kind)
      const tokens = openAt(place)
      onTestFinished(() => tokens.close())
      const made = new Set<string>()
      for (let index = 0; index < TOKENS; index += 1) {
        const { record } = await tokens.system.create({
          name: `Token ${index}`,
          scopes: ['stock:read'],
          expiresIn: '8d',
          rotateEvery: '3d',
        })
        made.add(record.id)
      }
      const began = Date.now()
      let killed = 0
      const run = async (look: Look) => {
        const child = await start(NOTIFIER, place, JSON.stringify(look))
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
        if (child.signalCode === 'SIGKILL') killed += 1
        else expect(child.exitCode).toBe(0)
      }
      for (const [round, days] of [0, 2, 4, 7.5, 9].entries()) {
        const now = began + days * DAY
        // First, one node runs alone, so it certainly has notices to write when it is killed. Then two nodes race for the rest.
        await run({ now, diesAt: 1 + (round % 3) })
        await Promise.all([run({ now, diesAt: 2 }), run({ now })])
      }
      expect(killed).toBeGreaterThan(0)
      const counts = new Map<string, number>()
      let after: string | undefined
      let page: readonly AuditEvent[]
      do {
        const answer = await tokens.system.events({ order: 'oldest', limit: 1000, ...(after !== undefined && { after }) })
        page = answer.items
        after = answer.nextCursor
        for (const { action, tokenId, details } of page) {
          if (!made.has(tokenId ?? '') || action === 'token.created') continue
          const kind = `${action} ${details?.thresholdSeconds ?? ''} ${tokenId}`
          counts.set(kind, (counts.get(kind) ?? 0) + 1)
        }
      } while (page.length > 0)
      expect([...counts].filter(([, count]) => count !== 1)).toEqual([])
      const kinds = [...counts.keys()].map((each) => each.split(' ').slice(0, 2).join(' '))
      const perKind = Object.fromEntries([...new Set(kinds)].sort().map((each) => [each, kinds.filter((other) => other === each).length]))
      expect(perKind).toEqual({
        'token.expired ': TOKENS,
        'token.expiring 604800': TOKENS,
        'token.expiring 86400': TOKENS,
        'token.rotation_due ': TOKENS,
      })
    },
    300_000,
  )
})
