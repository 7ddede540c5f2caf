import type { Addition, AdditionResult } from '../../../store/port.js'
import { ensure, ensureEqual } from '../../assert.js'
import { event, eventIds, findOne, inserted, newPrefix, readFeed, START, token } from '../build.js'
import type { BegunTransaction, Stage, StoreCases } from '../types.js'

/** New tokens, each with an event. */
function addition(stage: Stage, count = 1, fields: Partial<Addition> = {}): Addition {
  const inserts = Array.from({ length: count }, () => token(stage.prefix))
  return { inserts, events: inserts.map(({ id }) => event(stage.prefix, { tokenId: id })), ...fields }
}

const idsOf = (rows: readonly { readonly id: string }[] = []): string[] => rows.map(({ id }) => id).sort()

/** Runs a case with an open transaction. Does nothing for stores that do not support host transactions. */
async function within(stage: Stage, run: (begun: BegunTransaction, add: (addition: Addition) => Promise<AdditionResult>) => Promise<void>) {
  const { store, beginTransaction } = stage
  if (store.commitIn === undefined || beginTransaction === undefined) return
  const begun = await beginTransaction()
  let open = true
  const ending = (end: () => unknown) => async (): Promise<void> => {
    open = false
    await end()
  }
  const ended = { ...begun, commit: ending(() => begun.commit()), rollback: ending(() => begun.rollback()) }
  try {
    await run(ended, async (given) => (await store.commitIn?.(begun.transaction, given)) ?? { ok: false, refused: 'no answer' })
  } finally {
    if (open) await begun.rollback()
  }
}

async function placed(stage: Stage, prefix: string = stage.prefix): Promise<string[]> {
  return idsOf(await stage.store.placeEvents?.(prefix))
}

export const hostTransactionCases: StoreCases = {
  title: 'transactions of the host',
  cases: [
    {
      title: 'a store that supports host transactions has both methods, and the suite can begin a transaction',
      async run({ store, beginTransaction }) {
        ensure((store.commitIn === undefined) === (store.placeEvents === undefined), 'commitIn and placeEvents come together')
        ensure(store.commitIn === undefined || beginTransaction !== undefined, 'commitIn is not tried: give the subject beginTransaction()')
      },
    },
    {
      title: 'additions are stored after the commit, and their events get their position exactly once',
      async run(stage) {
        const { cursor } = await stage.store.changes(undefined, 1)
        const given = addition(stage, 2)
        await within(stage, async ({ commit }, add) => {
          ensureEqual(await add(given), { ok: true }, 'an addition with new ids must be accepted')
          await commit()
          for (const made of given.inserts ?? []) ensureEqual(await findOne(stage.second, made.id), made, 'the token must be there')
          ensureEqual(await placed(stage, newPrefix()), [], 'events of another prefix are none of its')
          const found = await Promise.all([0, 1].map((turn) => stage.handle(turn).placeEvents?.(stage.prefix)))
          ensureEqual(idsOf(found.flatMap((each) => each ?? [])), idsOf(given.events), 'each event must be placed, by one of them')
          ensureEqual(await placed(stage), [], 'none must be placed twice')
          ensureEqual((await eventIds(stage)).sort(), idsOf(given.events), 'the events must be in the audit')
          const told = (await readFeed(stage.store, cursor)).ids
          for (const { id } of given.inserts ?? []) ensure(told.includes(id), 'the feed must name the tokens')
        })
      },
    },
    {
      title: 'a rolled-back transaction writes nothing',
      async run(stage) {
        const given = addition(stage)
        await within(stage, async ({ rollback }, add) => {
          ensureEqual(await add(given), { ok: true }, 'an addition with new ids must be accepted')
          await rollback()
          ensureEqual(await findOne(stage.store, given.inserts?.[0]?.id ?? ''), undefined, 'the token must not be there')
          ensureEqual(await placed(stage), [], 'there must be no event to place')
          ensureEqual(await eventIds(stage), [], 'the event must not be there')
        })
      },
    },
    {
      title: 'a conflicting addition writes nothing, and the transaction can continue',
      async run(stage) {
        const stored = await inserted(stage)
        const before = await eventIds(stage)
        const fine = addition(stage)
        await within(stage, async ({ commit }, add) => {
          const [other] = addition(stage).inserts ?? []
          const clash = await add({ inserts: other === undefined ? [stored] : [other, stored], events: [event(stage.prefix)] })
          ensureEqual(clash, { ok: false, conflict: stored.id, stored }, 'the id that exists must be named, with the token that has it')
          const known = await add(addition(stage, 1, { events: [event(stage.prefix, { id: before[0] ?? '' })] }))
          ensureEqual(known, { ok: false, conflict: before[0] }, 'so must the event that exists')
          ensureEqual(await add(fine), { ok: true }, 'the transaction must go on as if nothing had been asked')
          await commit()
          ensureEqual(await placed(stage), idsOf(fine.events), 'nothing of what was refused may be left')
          ensureEqual(await findOne(stage.store, other?.id ?? ''), undefined, 'nor a token of it')
        })
      },
    },
    {
      title: 'caps count what the transaction sees, and the transaction can continue after one is exceeded',
      async run(stage) {
        await inserted(stage, { tenantId: 'a' })
        const capped = (): Addition => {
          const made = token(stage.prefix, { tenantId: 'a' })
          return { inserts: [made], events: [event(stage.prefix)], caps: [{ prefix: stage.prefix, tenantId: 'a', max: 2, now: START }] }
        }
        await within(stage, async ({ commit }, add) => {
          ensureEqual(await add(capped()), { ok: true }, 'there is room for one')
          ensureEqual(await add(capped()), { ok: false, exceeded: 0 }, 'the cap must count what this transaction added')
          ensureEqual(await add(addition(stage)), { ok: true }, 'the transaction must go on as if nothing had been asked')
          await commit()
          const left = await stage.store.list({ prefix: stage.prefix, now: START, limit: 10 })
          ensureEqual(left.length, 3, 'only what was accepted must be there')
        })
      },
    },
    {
      title: 'events are placed after those written in the meantime, and before those of a bulk revocation',
      async run(stage) {
        const given = addition(stage)
        await within(stage, async ({ commit }, add) => {
          await add(given)
          await commit()
          const between = event(stage.prefix)
          ensureEqual(await stage.store.commit({ events: [between] }), { ok: true }, 'an event by itself must be accepted')
          const stamp = { revokedAt: START + 1, revokedBy: 'carol', revokedCode: 'bulk', bulkId: 'bulk-in-order' } as const
          const bulk = event(stage.prefix, { action: 'tokens.revoked', bulkId: stamp.bulkId })
          await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, bulk)
          const order = (await stage.store.events({ prefix: stage.prefix, order: 'oldest', limit: 10 })).map(({ id }) => id)
          ensureEqual(order, [between.id, ...idsOf(given.events), bulk.id], 'what waited must stand before the revocation, behind the rest')
          ensureEqual(await placed(stage), [], 'nothing must be left to place')
        })
      },
    },
    {
      title: 'anything but a host transaction is refused with a reason, and nothing is written',
      async run(stage) {
        const { store, beginTransaction } = stage
        if (store.commitIn === undefined || beginTransaction === undefined) return
        for (const wrong of [{}, [], () => undefined]) {
          const given = addition(stage)
          const answer = await store.commitIn(wrong, given)
          ensure(typeof answer.refused === 'string' && !answer.ok, 'the answer must say why it is refused')
          ensureEqual(await findOne(store, given.inserts?.[0]?.id ?? ''), undefined, 'the token must not be there')
        }
      },
    },
  ],
}
