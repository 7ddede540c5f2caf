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
  title: 'host transactions',
  cases: [
    {
      title: 'a store that supports host transactions has both methods, and the suite can begin a transaction',
      async run({ store, beginTransaction }) {
        ensure(
          (store.commitIn === undefined) === (store.placeEvents === undefined),
          'a store must implement both commitIn() and placeEvents(), or neither',
        )
        ensure(
          store.commitIn === undefined || beginTransaction !== undefined,
          'commitIn() cannot be tested: the subject must provide beginTransaction()',
        )
      },
    },
    {
      title: 'additions are stored after the commit, and their events get their position exactly once',
      async run(stage) {
        const { cursor } = await stage.store.changes(undefined, 1)
        const given = addition(stage, 2)
        await within(stage, async ({ commit }, add) => {
          ensureEqual(await add(given), { ok: true }, 'commitIn() must accept an addition with new IDs')
          await commit()
          for (const made of given.inserts ?? [])
            ensureEqual(await findOne(stage.second, made.id), made, 'a token must be stored once its transaction is committed')
          ensureEqual(await placed(stage, newPrefix()), [], 'placeEvents() must not place events of another prefix')
          const found = await Promise.all([0, 1].map((turn) => stage.handle(turn).placeEvents?.(stage.prefix)))
          ensureEqual(
            idsOf(found.flatMap((each) => each ?? [])),
            idsOf(given.events),
            'concurrent placeEvents() calls must together place each event once',
          )
          ensureEqual(await placed(stage), [], 'placeEvents() must not place an event twice')
          ensureEqual((await eventIds(stage)).sort(), idsOf(given.events), 'events() must return the placed events')
          const told = (await readFeed(stage.store, cursor)).ids
          for (const { id } of given.inserts ?? []) ensure(told.includes(id), 'the feed must list the tokens of placed events')
        })
      },
    },
    {
      title: 'a rolled-back transaction writes nothing',
      async run(stage) {
        const given = addition(stage)
        await within(stage, async ({ rollback }, add) => {
          ensureEqual(await add(given), { ok: true }, 'commitIn() must accept an addition with new IDs')
          await rollback()
          ensureEqual(await findOne(stage.store, given.inserts?.[0]?.id ?? ''), undefined, 'a rolled-back transaction must leave no token')
          ensureEqual(await placed(stage), [], 'a rolled-back transaction must leave no event to place')
          ensureEqual(await eventIds(stage), [], 'a rolled-back transaction must leave no event')
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
          ensureEqual(
            clash,
            { ok: false, conflict: stored.id, stored },
            'commitIn() must report an existing ID as the conflict and return its token',
          )
          const known = await add(addition(stage, 1, { events: [event(stage.prefix, { id: before[0] ?? '' })] }))
          ensureEqual(known, { ok: false, conflict: before[0] }, 'commitIn() must report an existing event ID as the conflict')
          ensureEqual(await add(fine), { ok: true }, 'the transaction must continue after a refused addition')
          await commit()
          ensureEqual(await placed(stage), idsOf(fine.events), 'only the events of accepted additions must be waiting to be placed')
          ensureEqual(await findOne(stage.store, other?.id ?? ''), undefined, 'a refused addition must write no token')
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
          ensureEqual(await add(capped()), { ok: true }, 'commitIn() must accept a token that fits the cap')
          ensureEqual(await add(capped()), { ok: false, exceeded: 0 }, 'a cap must count tokens that the same transaction added')
          ensureEqual(await add(addition(stage)), { ok: true }, 'the transaction must continue after a refused addition')
          await commit()
          const left = await stage.store.list({ prefix: stage.prefix, now: START, limit: 10 })
          ensureEqual(left.length, 3, 'only the tokens of accepted additions must be stored')
        })
      },
    },
    {
      title: 'events of an addition are placed after existing events, and before the event of a later bulk revocation',
      async run(stage) {
        const given = addition(stage)
        await within(stage, async ({ commit }, add) => {
          await add(given)
          await commit()
          const between = event(stage.prefix)
          ensureEqual(await stage.store.commit({ events: [between] }), { ok: true }, 'commit() must accept a change with only an event')
          const stamp = { revokedAt: START + 1, revokedBy: 'carol', revokedCode: 'bulk', bulkId: 'bulk-in-order' } as const
          const bulk = event(stage.prefix, { action: 'tokens.revoked', bulkId: stamp.bulkId })
          await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, bulk)
          const order = (await stage.store.events({ prefix: stage.prefix, order: 'oldest', limit: 10 })).map(({ id }) => id)
          ensureEqual(
            order,
            [between.id, ...idsOf(given.events), bulk.id],
            'events that wait to be placed must come after existing events and before the revocation',
          )
          ensureEqual(await placed(stage), [], 'revokeWhere() must leave no event to place')
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
          ensure(
            typeof answer.refused === 'string' && !answer.ok,
            'commitIn() must refuse a value that is not a transaction, and report why',
          )
          ensureEqual(await findOne(store, given.inserts?.[0]?.id ?? ''), undefined, 'a refused addition must write no token')
        }
      },
    },
  ],
}
