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
        ensureEqual(await stage.store.consumers(stage.prefix), [], 'at first a prefix has no consumers')
        const first = state(stage, { position: 9_007_199_254_740_000, holder: 'node-1' })
        ensureEqual(await stage.store.saveConsumer(first), true, 'version 1 must be written where there is none')
        ensureEqual(await stage.second.consumers(stage.prefix), [first], 'every field must come back')
        const second = state(stage, { version: 2, position: 7 })
        ensureEqual(await stage.second.saveConsumer(second), true, 'the next version must be written')
        ensureEqual(await stage.store.consumers(stage.prefix), [second], 'a holder that is left out must be gone')
        await stage.store.close?.()
        ensureEqual(await (await stage.reopen()).consumers(stage.prefix), [second], 'a position must survive')
      },
    },
    {
      title: 'a consumer is written only over its previous version',
      async run(stage) {
        ensureEqual(
          await stage.store.saveConsumer(state(stage, { version: 2 })),
          false,
          'version 2 must not be written where there is none',
        )
        ensureEqual(await stage.store.consumers(stage.prefix), [], 'what is refused must leave nothing')
        await stage.store.saveConsumer(state(stage, { holder: 'a' }))
        for (const version of [1, 3]) {
          ensureEqual(
            await stage.second.saveConsumer(state(stage, { version, holder: 'b' })),
            false,
            `version ${version} must not follow 1`,
          )
        }
        ensureEqual(await stage.store.consumers(stage.prefix), [state(stage, { holder: 'a' })], 'what is refused must change nothing')
      },
    },
    {
      title: 'a consumer is removed only at its version, and its name begins anew',
      async run(stage) {
        const { prefix } = stage
        const other = state(stage, { name: 'billing' })
        ensureEqual(await stage.store.removeConsumer(state(stage)), false, 'where there is none nothing can be removed')
        for (const version of [1, 2]) await stage.store.saveConsumer(state(stage, { version, position: 9, holder: 'a' }))
        await stage.store.saveConsumer(other)
        for (const version of [1, 3]) {
          ensureEqual(
            await stage.second.removeConsumer(state(stage, { version })),
            false,
            `version ${version} is not the one that is stored`,
          )
        }
        ensureEqual(await stage.second.removeConsumer({ prefix: newPrefix(), name: 'siem', version: 2 }), false, 'another prefix has none')
        ensureEqual((await stage.store.consumers(prefix)).length, 2, 'what is refused must remove nothing')
        const asked = Array.from({ length: 8 }, async (_, turn) => stage.handle(turn).removeConsumer({ prefix, name: 'siem', version: 2 }))
        ensureEqual((await Promise.all(asked)).filter(Boolean).length, 1, 'of many who remove it exactly one must be told that it did')
        ensureEqual(await stage.second.consumers(prefix), [other], 'only that one must be gone')
        ensureEqual(await stage.store.saveConsumer(state(stage, { version: 3 })), false, 'nothing follows on what was removed')
        ensureEqual(await stage.store.saveConsumer(state(stage)), true, 'the name must be free')
        await stage.store.removeConsumer(other)
        await stage.store.close?.()
        ensureEqual(await (await stage.reopen()).consumers(prefix), [state(stage)], 'what was removed must not come back')
      },
    },
    {
      title: 'when many claim a consumer at once, exactly one succeeds',
      async run(stage) {
        for (const version of [1, 2, 3]) {
          const holders = Array.from({ length: 16 }, (_, index) => `node-${index}`)
          const won = await Promise.all(
            holders.map(async (holder, turn) => stage.handle(turn).saveConsumer(state(stage, { version, position: version, holder }))),
          )
          ensureEqual(won.filter(Boolean).length, 1, `exactly one must write version ${version}`)
          const [stored] = await stage.store.consumers(stage.prefix)
          ensureEqual(stored?.holder, holders[won.indexOf(true)], 'the one that was told so must be the one that is stored')
        }
      },
    },
    {
      title: 'consumers are distinguished byte for byte and by prefix',
      async run(stage) {
        const names = ['siem', 'SIEM', 'siem ', '%', '__proto__', 'söem']
        const saved = names.map((name, position) => state(stage, { name, position }))
        for (const each of saved) ensure(await stage.store.saveConsumer(each), `${each.name} must be a consumer of its own`)
        const other = newPrefix()
        ensure(await stage.store.saveConsumer(state(stage, { prefix: other })), 'another prefix must have consumers of its own')
        const byName = (a: ConsumerState, b: ConsumerState): number => a.position - b.position
        ensureEqual((await stage.store.consumers(stage.prefix)).toSorted(byName), saved, 'the consumers of one prefix')
        ensureSameMembers(
          (await stage.store.consumers(other)).map(({ prefix }) => prefix),
          [other],
          'the consumers of the other',
        )
      },
    },
  ],
}
