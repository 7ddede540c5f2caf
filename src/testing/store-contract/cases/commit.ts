import type { StoredToken } from '../../../model/record.js'
import type { Change } from '../../../store/port.js'
import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { changed, event, eventIds, findOne, inserted, list, readFeed, replace, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

/** Commits a change that must be refused because of `conflict`, and checks that no part of it was applied. */
async function ensureRefused(stage: Stage, change: Change, conflict: string, what: string): Promise<void> {
  const tokensBefore = await list(stage)
  const eventsBefore = await eventIds(stage)
  const { cursor } = await stage.store.changes(undefined, 10)
  ensureEqual(await stage.store.commit(change), { ok: false, conflict }, `commit() must refuse ${what} and report the ID as the conflict`)
  ensureEqual(await list(stage), tokensBefore, `${what}: a refused change must leave every token unchanged`)
  ensureEqual(await eventIds(stage), eventsBefore, `${what}: a refused change must write no event`)
  for (const { id } of change.inserts ?? []) {
    const before = tokensBefore.find((each) => each.id === id)
    if (before === undefined && id !== conflict) {
      ensureEqual(await findOne(stage.store, id), undefined, `${what}: a refused change must write none of its inserts`)
    }
  }
  const { cursor: _, ...news } = await readFeed(stage.store, cursor)
  ensureEqual(news, { ids: [], owners: [], bulk: [], everything: false }, `${what}: a refused change must add no feed entry`)
}

export const commitCases: StoreCases = {
  title: 'commit',
  cases: [
    {
      title: 'an insert with a duplicate ID is a conflict and changes nothing',
      async run(stage) {
        const first = await inserted(stage)
        const again = token(stage.prefix, { id: first.id, name: 'Impostor' })
        await ensureRefused(stage, { inserts: [again], events: [event(stage.prefix)] }, first.id, 'an insert with an existing ID')
        const other = token(`${stage.prefix}x`, { id: first.id })
        await ensureRefused(stage, { inserts: [other], events: [] }, first.id, 'an insert with an ID that exists under another prefix')
      },
    },
    {
      title: 'an update with a stale version is a conflict and changes nothing',
      async run(stage) {
        const old = await inserted(stage)
        const present = await replace(stage.store, old, { name: 'Second' })
        const events = [event(stage.prefix, { action: 'token.updated' })]
        for (const expectedVersion of [1, 3]) {
          const record = changed(present, { name: 'Third', version: expectedVersion + 1 })
          await ensureRefused(
            stage,
            { updates: [{ expectedVersion, record }], events },
            old.id,
            `an update that expects version ${expectedVersion} while 2 is stored`,
          )
        }
      },
    },
    {
      title: 'an update of a removed token is a conflict',
      async run(stage) {
        const never = token(stage.prefix)
        const updates = [{ expectedVersion: 1, record: changed(never, {}) }]
        await ensureRefused(stage, { updates, events: [event(stage.prefix)] }, never.id, 'an update of an unknown token')
      },
    },
    {
      title: 'a duplicate event ID is a conflict and changes nothing',
      async run(stage) {
        const old = await inserted(stage)
        const [known = ''] = await eventIds(stage)
        const change = {
          inserts: [token(stage.prefix)],
          updates: [{ expectedVersion: 1, record: changed(old, {}) }],
          events: [event(stage.prefix), event(stage.prefix, { id: known })],
        }
        await ensureRefused(stage, change, known, 'an event with an existing ID')
      },
    },
    {
      title: 'a change with one invalid part writes none of its valid parts',
      async run(stage) {
        const [stale, good, doomed] = [await inserted(stage), await inserted(stage), await inserted(stage)]
        const present = await replace(stage.store, stale, { name: 'Moved on' })
        const good2 = { expectedVersion: 1, record: changed(good, { name: 'Not to be' }) }
        const stale2 = { expectedVersion: 1, record: changed(stale, { name: 'Stale' }) }
        const parts = {
          removals: [doomed.id],
          ownersChanged: [{ ownerId: `owner-${stage.prefix}` }],
          events: [event(stage.prefix), event(stage.prefix)],
        }
        await ensureRefused(
          stage,
          { ...parts, inserts: [token(stage.prefix)], updates: [good2, stale2] },
          stale.id,
          'a stale update after a valid one',
        )
        await ensureRefused(
          stage,
          { ...parts, inserts: [token(stage.prefix)], updates: [stale2, good2] },
          stale.id,
          'a stale update before a valid one',
        )
        const inserts = [token(stage.prefix), token(stage.prefix, { id: present.id })]
        await ensureRefused(stage, { ...parts, inserts, updates: [good2] }, present.id, 'an existing ID among valid inserts')
      },
    },
    {
      title: 'all parts of a change are applied together',
      async run(stage) {
        const [kept, removed] = [await inserted(stage), await inserted(stage)]
        const made = token(stage.prefix, { createdAt: START + 1 })
        const record = changed(kept, { name: 'New name' })
        const told = [event(stage.prefix, { action: 'token.updated' }), event(stage.prefix, { action: 'token.pruned' })]
        const before = await eventIds(stage)
        const { cursor } = await stage.store.changes(undefined, 10)
        const ownersChanged = [{ ownerId: `owner-${stage.prefix}` }]
        const change = { inserts: [made], updates: [{ expectedVersion: 1, record }], removals: [removed.id], ownersChanged, events: told }
        ensureEqual(await stage.store.commit(change), { ok: true }, 'commit() must accept a change with all parts')

        ensureEqual(await list(stage), [made, record], 'commit() must apply the insert, the update and the removal')
        const added = (await eventIds(stage)).filter((id) => !before.includes(id))
        ensureSameMembers(
          added,
          told.map(({ id }) => id),
          'commit() must write the events of the change',
        )
        const feed = await readFeed(stage.store, cursor)
        ensureSameMembers([...new Set(feed.ids)], [made.id, kept.id, removed.id], 'the feed must list each token of the change')
        ensureEqual(feed.owners, ownersChanged, 'the feed must list the changed owner')
      },
    },
    {
      title: 'a change to a hundred tokens is atomic',
      async run(stage) {
        const made: StoredToken[] = Array.from({ length: 100 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        const last = made[99] ?? token(stage.prefix)
        const good = { inserts: made.slice(0, 99), events: made.map(({ id }) => event(stage.prefix, { tokenId: id })) }
        await stage.store.commit({ inserts: [last], events: [] })
        await ensureRefused(stage, { ...good, inserts: made }, last.id, 'a hundred inserts, the last with an existing ID')
        ensureEqual(await stage.store.commit(good), { ok: true }, 'commit() must accept a change with 99 inserts and 100 events')
        ensureEqual((await list(stage)).length, 100, 'commit() must write every insert of the change')
        ensureEqual((await eventIds(stage)).length, 100, 'commit() must write every event of the change')
      },
    },
  ],
}
