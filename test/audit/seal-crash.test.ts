import type { AuditHead, StoredEvent, TokenStore } from 'latchkey'
import { describe, expect, it, onTestFinished } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { openAt } from '../activity/crash/open.js'
import { everyKind, kill, newPlace, start } from '../activity/crash/processes.js'
import { exported } from './log.js'

const SEALER = new URL('../activity/crash/sealer.ts', import.meta.url)
const ROUNDS = 2
/** Enough events for several ranges in each round, so the process is killed between two ranges or inside one. */
const EVENTS = 900

const eventsOf = (round: number): readonly StoredEvent[] =>
  Array.from({ length: EVENTS }, (_, index) => ({
    id: `e${round}-${index}`,
    at: index,
    action: 'owner.changed',
    prefix: 'acme_test',
    actorId: 'ada',
    details: { index },
  }))

describe.each(await everyKind())('sealing in a process that is killed on $kind', ({ kind, skip }) => {
  it.skipIf(skip)(
    'continues sealing in another process after a kill, with no event left unsealed or sealed twice',
    async () => {
      const place = await newPlace(kind)
      const tokens = openAt(place)
      onTestFinished(() => tokens.close())
      const store = internalsOf(tokens).store() as unknown as TokenStore
      for (let round = 0; round < ROUNDS; round += 1) {
        const events = eventsOf(round)
        for (let at = 0; at < EVENTS; at += 100) await store.commit({ events: events.slice(at, at + 100) })
        const child = await start(SEALER, place, '')
        await new Promise((resolve) => child.stdout?.once('data', resolve))
        // The process is killed in the first range, between two ranges, or inside a later range.
        await kill(child)
      }
      const head = (await tokens.system.sealAudit()) as AuditHead
      expect(await tokens.system.verifyAudit({ head })).toMatchObject({ ok: true, sealed: ROUNDS * EVENTS, behind: 0, problems: [] })
      const places = (await exported(tokens.system.exportAudit())).flatMap(({ seal }) => {
        const { number, leaves } = (seal ?? { leaves: [] }) as { readonly number: number; readonly leaves: readonly (readonly [number])[] }
        return leaves.map(([seq]) => ({ number, seq }))
      })
      expect(places.length).toBe(ROUNDS * EVENTS)
      expect(new Set(places.map(({ seq }) => seq)).size).toBe(places.length)
    },
    120_000,
  )
})
