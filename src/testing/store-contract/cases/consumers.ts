import type { ConsumerState } from '../../../store/port.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { newPrefix } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const state = (stage: Stage, fields: Partial<ConsumerState> = {}): ConsumerState => ({
  prefix: stage.prefix,
  name: 'siem',
  version: 1,
  position: 0,
  ...fields,
})

export const consumerCases: StoreCases = {
  title: 'consumers of audit events',
  cases: [
    {
      title: 'a consumer is returned as it was saved, through every handle and after reopening',
      async run(stage) {
        ensureEqual(await stage.store.consumers(stage.prefix), [], 'a new prefix must have no consumers')
        const first = state(stage, { position: 9_007_199_254_740_000, holder: 'node-1' })
        ensureEqual(await stage.store.saveConsumer(first), true, 'saveConsumer() must write version 1 of a new consumer')
        ensureEqual(await stage.second.consumers(stage.prefix), [first], 'consumers() must return every saved field')
        const second = state(stage, { version: 2, position: 7 })
        ensureEqual(await stage.second.saveConsumer(second), true, 'saveConsumer() must write the next version')
        ensureEqual(await stage.store.consumers(stage.prefix), [second], 'a holder that the next version omits must be removed')
        await stage.store.close?.()
        ensureEqual(await (await stage.reopen()).consumers(stage.prefix), [second], 'a consumer must survive reopening the store')
      },
    },
    {
      title: 'a consumer is written only over its previous version',
      async run(stage) {
        ensureEqual(
          await stage.store.saveConsumer(state(stage, { version: 2 })),
          false,
          'saveConsumer() must refuse version 2 of a new consumer',
        )
        ensureEqual(await stage.store.consumers(stage.prefix), [], 'a refused save must write nothing')
        await stage.store.saveConsumer(state(stage, { holder: 'a' }))
        for (const version of [1, 3]) {
          ensureEqual(
            await stage.second.saveConsumer(state(stage, { version, holder: 'b' })),
            false,
            `saveConsumer() must refuse version ${version} while version 1 is stored`,
          )
        }
        ensureEqual(await stage.store.consumers(stage.prefix), [state(stage, { holder: 'a' })], 'a refused save must change nothing')
      },
    },
    {
      title: 'a consumer is removed only if its version matches, and its name can be used again',
      async run(stage) {
        const { prefix } = stage
        const other = state(stage, { name: 'billing' })
        ensureEqual(
          await stage.store.removeConsumer(state(stage)),
          false,
          'removeConsumer() must return false for a consumer that does not exist',
        )
        for (const version of [1, 2]) await stage.store.saveConsumer(state(stage, { version, position: 9, holder: 'a' }))
        await stage.store.saveConsumer(other)
        for (const version of [1, 3]) {
          ensureEqual(
            await stage.second.removeConsumer(state(stage, { version })),
            false,
            `removeConsumer() must refuse version ${version} while version 2 is stored`,
          )
        }
        ensureEqual(
          await stage.second.removeConsumer({ prefix: newPrefix(), name: 'siem', version: 2 }),
          false,
          'removeConsumer() must not remove a consumer of another prefix',
        )
        ensureEqual((await stage.store.consumers(prefix)).length, 2, 'a refused removal must remove nothing')
        const asked = Array.from({ length: 8 }, async (_, turn) => stage.handle(turn).removeConsumer({ prefix, name: 'siem', version: 2 }))
        ensureEqual((await Promise.all(asked)).filter(Boolean).length, 1, 'exactly one of 8 concurrent removals must return true')
        ensureEqual(await stage.second.consumers(prefix), [other], 'only the removed consumer must be gone')
        ensureEqual(
          await stage.store.saveConsumer(state(stage, { version: 3 })),
          false,
          'saveConsumer() must refuse the next version of a removed consumer',
        )
        ensureEqual(await stage.store.saveConsumer(state(stage)), true, 'saveConsumer() must accept version 1 after a removal')
        await stage.store.removeConsumer(other)
        await stage.store.close?.()
        ensureEqual(
          await (await stage.reopen()).consumers(prefix),
          [state(stage)],
          'a removed consumer must not come back after reopening the store',
        )
      },
    },
    {
      title: 'when many nodes claim a consumer concurrently, exactly one succeeds',
      async run(stage) {
        for (const version of [1, 2, 3]) {
          const holders = Array.from({ length: 16 }, (_, index) => `node-${index}`)
          const won = await Promise.all(
            holders.map(async (holder, turn) => stage.handle(turn).saveConsumer(state(stage, { version, position: version, holder }))),
          )
          ensureEqual(won.filter(Boolean).length, 1, `exactly one of 16 concurrent saves must write version ${version}`)
          const [stored] = await stage.store.consumers(stage.prefix)
          ensureEqual(stored?.holder, holders[won.indexOf(true)], 'the stored holder must be the caller whose save returned true')
        }
      },
    },
    {
      title: 'consumer names are compared byte for byte, and each prefix has its own consumers',
      async run(stage) {
        const names = ['siem', 'SIEM', 'siem ', '%', '__proto__', 'söem']
        const saved = names.map((name, position) => state(stage, { name, position }))
        for (const each of saved)
          ensure(await stage.store.saveConsumer(each), `saveConsumer() must treat ${JSON.stringify(each.name)} as a separate consumer`)
        const other = newPrefix()
        ensure(await stage.store.saveConsumer(state(stage, { prefix: other })), 'another prefix must have its own consumers')
        const byName = (a: ConsumerState, b: ConsumerState): number => a.position - b.position
        ensureEqual(
          (await stage.store.consumers(stage.prefix)).toSorted(byName),
          saved,
          'consumers() must return exactly the consumers of its prefix',
        )
        ensureSameMembers(
          (await stage.store.consumers(other)).map(({ prefix }) => prefix),
          [other],
          'consumers() must return exactly the consumers of its prefix',
        )
      },
    },
  ],
}
