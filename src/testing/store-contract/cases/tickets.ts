import type { StoredTicket, TicketRoom } from '../../../store/port.js'
import { ensure, ensureEqual } from '../../assert.js'
import { inserted, newPrefix, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const digest = (number: number): string => `${number.toString(16)}f`.padStart(64, '0')

const ticket = (stage: Stage, tokenId: string, number: number, fields: Partial<StoredTicket> = {}): StoredTicket => ({
  prefix: stage.prefix,
  digest: digest(number),
  tokenId,
  expiresAt: START + 30_000,
  ...fields,
})

const room = (fields: Partial<TicketRoom> = {}): TicketRoom => ({ max: 100, now: START, forgetBefore: START - 60_000, ...fields })

export const ticketCases: StoreCases = {
  title: 'tickets',
  cases: [
    {
      title: 'a ticket is returned once, as it was saved, through every handle',
      async run(stage) {
        const { id } = await inserted(stage)
        const made = ticket(stage, id, 1, { expiresAt: 9_007_199_254_740_000 })
        ensureEqual(
          await stage.store.takeTicket(stage.prefix, made.digest),
          undefined,
          'takeTicket() must return nothing before the ticket is saved',
        )
        ensureEqual(await stage.store.saveTicket(made, room()), true, 'saveTicket() must store a ticket for an existing token')
        ensureEqual(await stage.second.takeTicket(stage.prefix, made.digest), made, 'takeTicket() must return every saved field')
        ensureEqual(await stage.store.takeTicket(stage.prefix, made.digest), undefined, 'a redeemed ticket must be gone for every handle')
        ensureEqual(await stage.second.takeTicket(stage.prefix, made.digest), undefined, 'a redeemed ticket must stay gone')
      },
    },
    {
      title: 'when many callers redeem one ticket concurrently, exactly one succeeds',
      async run(stage) {
        const { id } = await inserted(stage)
        for (const number of [1, 2, 3]) {
          await stage.store.saveTicket(ticket(stage, id, number), room())
          const taken = await Promise.all(
            Array.from({ length: 32 }, async (_, turn) => stage.handle(turn).takeTicket(stage.prefix, digest(number))),
          )
          ensureEqual(
            taken.filter((each) => each !== undefined).length,
            1,
            'exactly one of 32 concurrent takeTicket() calls must get the ticket',
          )
        }
      },
    },
    {
      title: 'a ticket for a missing token is not stored',
      async run(stage) {
        const absent = token(stage.prefix)
        ensureEqual(
          await stage.store.saveTicket(ticket(stage, absent.id, 1), room()),
          false,
          'saveTicket() must refuse a ticket for a missing token',
        )
        ensureEqual(await stage.store.takeTicket(stage.prefix, digest(1)), undefined, 'a refused ticket must not be stored')
        const { id } = await inserted(stage)
        const prefix = newPrefix()
        ensureEqual(
          await stage.store.saveTicket(ticket(stage, id, 2, { prefix }), room()),
          false,
          'saveTicket() must refuse a ticket for a token with another prefix',
        )
      },
    },
    {
      title: 'a token never has more live tickets than the limit, even if many are saved concurrently',
      async run(stage) {
        const { id } = await inserted(stage)
        const other = await inserted(stage)
        await stage.store.saveTicket(ticket(stage, id, 1000, { expiresAt: START }), room())
        const kept = await Promise.all(
          Array.from({ length: 24 }, async (_, turn) => stage.handle(turn).saveTicket(ticket(stage, id, turn), room({ max: 5 }))),
        )
        ensureEqual(kept.filter(Boolean).length, 5, 'exactly 5 tickets must fit within a limit of 5, not counting an expired one')
        ensureEqual(
          await stage.store.saveTicket(ticket(stage, other.id, 100), room({ max: 5 })),
          true,
          'each token must have its own limit',
        )
        await stage.store.takeTicket(stage.prefix, digest(kept.indexOf(true)))
        ensureEqual(await stage.store.saveTicket(ticket(stage, id, 101), room({ max: 5 })), true, 'a redeemed ticket must no longer count')
        const later = room({ max: 5, now: START + 30_000 })
        ensureEqual(
          await stage.store.saveTicket(ticket(stage, id, 102, { expiresAt: START + 60_000 }), later),
          true,
          'an expired ticket must no longer count',
        )
      },
    },
    {
      title: 'each saved ticket removes a small batch of unredeemed tickets',
      async run(stage) {
        const { id } = await inserted(stage)
        for (let number = 0; number < 20; number += 1) await stage.store.saveTicket(ticket(stage, id, number), room())
        await stage.store.saveTicket(ticket(stage, id, 99, { expiresAt: START + 40_000 }), room())
        for (let number = 100; number < 112; number += 1) {
          const late = ticket(stage, id, number, { expiresAt: START + 90_000 })
          await stage.handle(number).saveTicket(late, room({ now: START + 60_000, forgetBefore: START + 40_000 }))
        }
        for (let number = 0; number < 20; number += 1) {
          ensureEqual(
            await stage.store.takeTicket(stage.prefix, digest(number)),
            undefined,
            'saveTicket() must remove tickets that expired before forgetBefore',
          )
        }
        ensure(
          (await stage.store.takeTicket(stage.prefix, digest(99))) !== undefined,
          'a ticket that did not expire before forgetBefore must stay',
        )
        ensure((await stage.store.takeTicket(stage.prefix, digest(100))) !== undefined, 'a live ticket must stay')
      },
    },
    {
      title: 'tickets of different prefixes are separate',
      async run(stage) {
        const prefix = newPrefix()
        const { id } = await inserted(stage)
        await stage.store.saveTicket(ticket(stage, id, 1), room())
        ensureEqual(await stage.store.takeTicket(prefix, digest(1)), undefined, 'takeTicket() must not return a ticket of another prefix')
        ensure(
          (await stage.store.takeTicket(stage.prefix, digest(1))) !== undefined,
          'takeTicket() must not remove a ticket of another prefix',
        )
      },
    },
  ],
}
