import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { expect, it } from 'vitest'
import { readOptions } from '../../../src/options.js'
import { retain } from '../../../src/verbs/retain.js'
import { buildContext } from '../../../src/verify/build-context.js'
import { SCOPES, until } from '../../latchkey/harness.js'
import { nodeOver } from './world.js'

const LATER = Date.now() + 100 * 86_400_000

it.each([
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(':memory:')],
])(
  'consumers, pages and seals continue after a copy of a %s store whose events are all past their retention',
  async (_name, makeStore) => {
    const [from, to] = [makeStore(), makeStore()]
    const old = nodeOver(from)
    for (let index = 0; index < 5; index += 1) await old.system.create({ name: `Key ${index}`, scopes: ['stock:read'] })
    await old.system.sealAudit()
    const seen: string[] = []
    const consumer = old.system.consume('siem', ({ after }) => void seen.push(String(after?.name)))
    await until(() => seen.length === 5)
    await consumer.stop()
    const { nextCursor } = await old.system.events({ order: 'oldest' })
    const settings = readOptions({ prefix: 'acme_test', store: from, scopes: SCOPES, retention: { events: '30d' }, clock: () => LATER })
    await retain(buildContext(settings), LATER, async () => true)

    const now = nodeOver(to)
    await copy(old, now, { step: 'fence' })
    await copy(old, now, { step: 'open' })
    await now.system.create({ name: 'new', scopes: ['stock:read'] })
    const continued = now.system.consume('siem', ({ after }) => void seen.push(String(after?.name)))
    await until(() => seen.length === 6)
    await continued.stop()
    expect(seen.at(-1)).toBe('new')
    expect((await now.system.events({ order: 'oldest', cursor: nextCursor })).items.map(({ after }) => after?.name)).toEqual(['new'])
    await now.system.sealAudit()
    const { items } = await now.system.events({ limit: 1 })
    await expect(now.system.proveEvent(items[0]?.id ?? '')).resolves.toBeDefined()
    expect(await now.system.verifyAudit()).toMatchObject({ ok: true })
  },
  60_000,
)
