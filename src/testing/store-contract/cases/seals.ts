import type { StoredEvent } from '../../../model/event.js'
import type { StoredSeal } from '../../../store/port.js'
import { ensure, ensureEqual } from '../../assert.js'
import { event, newPrefix } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const seal = (stage: Stage, number: number, body = `{"seal":${number}}`): StoredSeal => ({ prefix: stage.prefix, number, body })

const idsOf = (events: readonly StoredEvent[]): string[] => events.map(({ id }) => id)

export const sealCases: StoreCases = {
  title: 'seals over audit events',
  cases: [
    {
      title: 'seals are returned as they were saved, in either order, through every handle and after reopening',
      async run(stage) {
        ensureEqual(await stage.store.seals({ prefix: stage.prefix, limit: 10 }), [], 'a new prefix must have no seals')
        ensureEqual(
          await stage.store.seals({ prefix: stage.prefix, order: 'newest', limit: 1 }),
          [],
          'a new prefix must have no seals, newest first',
        )
        const bodies = ['{}', '"ä😀 \\ \u2028"', 'x'.repeat(100_000), ' ', '4', '5', '6', '7', '8', '9', '10', '11']
        const saved = bodies.map((body, index) => seal(stage, index + 1, body))
        for (const [turn, each] of saved.entries())
          ensure(await stage.handle(turn).saveSeal(each), `saveSeal() must write seal ${each.number}`)
        const { prefix } = stage
        ensureEqual(await stage.second.seals({ prefix, limit: 100 }), saved, 'seals() must return every seal, oldest first')
        ensureEqual(
          await stage.second.seals({ prefix, after: 2, limit: 3 }),
          saved.slice(2, 5),
          'seals() must return the page after a number',
        )
        ensureEqual(await stage.second.seals({ prefix, after: 12, limit: 3 }), [], 'seals() must return nothing after the newest seal')
        ensureEqual(
          await stage.second.seals({ prefix, order: 'newest', limit: 2 }),
          saved.slice(-2).toReversed(),
          'seals() must return the newest seals first',
        )
        await stage.store.close?.()
        ensureEqual(await (await stage.reopen()).seals({ prefix, limit: 100 }), saved, 'seals must survive reopening the store')
      },
    },
    {
      title: 'a seal is written only after the newest seal, and never replaces another seal',
      async run(stage) {
        ensureEqual(await stage.store.saveSeal(seal(stage, 2)), false, 'saveSeal() must refuse seal 2 if there is no seal 1')
        ensure(await stage.store.saveSeal(seal(stage, 1)), 'saveSeal() must write the first seal')
        for (const number of [1, 3]) {
          ensureEqual(
            await stage.second.saveSeal(seal(stage, number, 'forged')),
            false,
            `saveSeal() must refuse seal ${number} after seal 1`,
          )
        }
        const { prefix } = stage
        ensureEqual(await stage.store.seals({ prefix, limit: 10 }), [seal(stage, 1)], 'a refused seal must change nothing')
      },
    },
    {
      title: 'when many nodes seal concurrently, exactly one writes each number',
      async run(stage) {
        for (const number of [1, 2, 3]) {
          const bodies = Array.from({ length: 16 }, (_, index) => `${number} by ${index}`)
          const won = await Promise.all(bodies.map(async (body, turn) => stage.handle(turn).saveSeal(seal(stage, number, body))))
          ensureEqual(won.filter(Boolean).length, 1, `exactly one of 16 concurrent calls must write seal ${number}`)
          const [newest] = await stage.store.seals({ prefix: stage.prefix, order: 'newest', limit: 1 })
          ensureEqual(newest?.body, bodies[won.indexOf(true)], 'the stored seal must be the one whose saveSeal() returned true')
        }
      },
    },
    {
      title: 'each prefix has its own seals',
      async run(stage) {
        const other = newPrefix()
        ensure(await stage.store.saveSeal(seal(stage, 1)), 'saveSeal() must write the first seal of a prefix')
        ensure(
          await stage.store.saveSeal({ ...seal(stage, 1, 'other'), prefix: other }),
          'saveSeal() must write the first seal of another prefix',
        )
        ensureEqual(
          await stage.second.seals({ prefix: other, limit: 9 }),
          [{ prefix: other, number: 1, body: 'other' }],
          'seals() must return only the seals of its prefix',
        )
      },
    },
    {
      title: 'an event is found by its ID, within its prefix and the other fields of the query',
      async run(stage) {
        const events = ['a', 'b', 'a'].map((tenantId) => event(stage.prefix, { tenantId }))
        const stranger = event(newPrefix())
        await stage.store.commit({ events: [...events, stranger] })
        const [wanted] = idsOf(events)
        const of = async (id: string, more = {}): Promise<string[]> =>
          idsOf(await stage.second.events({ prefix: stage.prefix, id, limit: 5, ...more }))
        ensureEqual(await of(wanted ?? ''), [wanted], 'events() must find an event by its ID')
        ensureEqual(
          await of(wanted ?? '', { tenantIds: ['a'], order: 'oldest' }),
          [wanted],
          'events() must find an event by its ID and its tenant',
        )
        ensureEqual(await of(wanted ?? '', { tenantIds: ['b'] }), [], 'events() must not find an event by its ID and another tenant')
        ensureEqual(await of(stranger.id), [], 'events() must not find an event of another prefix')
        ensureEqual(await of('missing'), [], 'events() must return nothing for an unknown ID')
        const [found] = await stage.store.events({ prefix: stage.prefix, id: wanted ?? '', limit: 1 })
        ensureEqual(
          await of(wanted ?? '', { after: found?.seq, order: 'oldest' }),
          [],
          'events() must not return an event after its own seq',
        )
      },
    },
  ],
}
