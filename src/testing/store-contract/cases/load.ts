import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { pause } from '../../pause.js'
import { batch, changed, event, findOne, insert, list, readFeed, START, token } from '../build.js'
import type { StoreCases } from '../types.js'

export const loadCases: StoreCases = {
  title: 'load',
  cases: [
    {
      title: 'a purge during inserts, updates and usage writes removes only its tokens',
      async run(stage) {
        const dead = Array.from({ length: 200 }, (_, index) =>
          token(stage.prefix, { createdAt: START - 1000 + index, expiresAt: START - 500 }),
        )
        const living = Array.from({ length: 16 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        await insert(stage.store, [...dead, ...living])
        const { cursor } = await stage.store.changes(undefined, 1)
        const made = Array.from({ length: 80 }, (_, index) => token(stage.prefix, { createdAt: START + 100 + index }))

        const purge = async (): Promise<void> => {
          for (let start = 0; start < dead.length; start += 20) {
            const removals = dead.slice(start, start + 20).map(({ id }) => id)
            await stage.store.commit({ removals, events: [event(stage.prefix, { action: 'token.pruned', count: removals.length })] })
            await pause(0)
          }
        }
        const write = async (writer: number): Promise<void> => {
          for (const each of made.slice(writer * 10, writer * 10 + 10)) await insert(stage.handle(writer), [each])
        }
        const update = async (index: number): Promise<void> => {
          let record = living[index] ?? token(stage.prefix)
          for (let round = 0; round < 6; round += 1) {
            const next = changed(record, { name: `Round ${round}` })
            const updates = [{ expectedVersion: record.version, record: next }]
            ensureEqual(
              await stage.handle(index).commit({ updates, events: [event(stage.prefix, { action: 'token.updated' })] }),
              { ok: true },
              'commit() must accept an update that expects the current version',
            )
            record = next
          }
        }
        const use = async (node: number): Promise<void> => {
          for (let seq = 1; seq <= 6; seq += 1) {
            const counts = living.map(({ id }) => ({ tokenId: id, bucketAt: START, endpoint: '', outcome: 'allowed', scope: '', count: 1 }))
            await stage.handle(node).recordUsage(batch({ nodeId: `node-${stage.prefix}-${node}`, seq, counts }))
          }
        }
        const eight = Array.from({ length: 8 }, (_, index) => index)
        await Promise.all([purge(), ...eight.map(write), ...living.map((_, index) => update(index)), ...eight.map(use)])

        const left = (await list(stage)).map(({ id }) => id)
        ensureSameMembers(
          left,
          [...living, ...made].map(({ id }) => id),
          'the purged tokens, and no others, must be gone',
        )
        for (const { id } of living) {
          ensureEqual((await findOne(stage.store, id))?.version, 7, 'each live token must have version 7 after six updates')
          ensureEqual(
            (await stage.store.usage({ tokenIds: [id] })).counts[0]?.count,
            48,
            'usage() must count six uses from each of eight nodes',
          )
        }
        const told = await stage.store.events({ prefix: stage.prefix, actions: ['token.pruned', 'token.updated'], limit: 1000 })
        ensureEqual(told.length, 10 + 16 * 6, 'every purge and update must have written its event')
        const seen = new Set((await readFeed(stage.store, cursor, 50)).ids)
        const missed = [...dead, ...living, ...made].map(({ id }) => id).filter((id) => !seen.has(id))
        ensureEqual(missed, [], 'the feed must list every insert, update and removal')
      },
    },
  ],
}
