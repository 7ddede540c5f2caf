import type { TokenHandle } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { IMPORT_KEY, oldToken, terms } from '../imports/world.js'
import { codeOf, instance, mint, refusal, verdict } from '../latchkey/harness.js'
import { DAY, type Node, node, START } from './notices-world.js'

const INVALID = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -1, 8.64e15 + 1, 1e20]

const format = sha256Tokens({ prefix: 'sk_', length: 35 })

/** The IDs and text that the changes below need. */
type Made = { readonly id: string; readonly token: string; readonly inactive: string }

type Verb = Exclude<keyof TokenHandle, 'get' | 'list' | 'tenants' | 'owners' | 'events' | 'usage' | 'usageOf' | 'explain' | 'grantable'>
/** Verbs that read, or that work without the time of this node. */
type Timeless = 'consume' | 'forgetConsumer' | 'verifyAudit' | 'proveEvent' | 'exportAudit'

type Change = (handle: TokenHandle, made: Made) => Promise<unknown>

const CHANGES: { readonly [Name in Exclude<Verb, Timeless>]: readonly Change[] } = {
  create: [
    (handle) => handle.create({ name: 'x', scopes: [] }),
    (handle) => handle.create({ name: 'x', scopes: [], expiresIn: '1h' }),
    (handle) => handle.create({ name: 'x', scopes: [], expiresAt: new Date(START + DAY) }),
    (handle) => handle.create({ name: 'x', scopes: [], rotateEvery: '30d' }),
  ],
  update: [(handle, { id }) => handle.update(id, { name: 'x' }), (handle, { id }) => handle.update(id, { expiresIn: '1h' })],
  activate: [(handle, { inactive }) => handle.activate(inactive)],
  deactivate: [(handle, { id }) => handle.deactivate(id)],
  rotate: [(handle, { id }) => handle.rotate(id), (handle, { id }) => handle.rotate(id, { overlap: '1h', idempotencyKey: 'k' })],
  revoke: [(handle, { id }) => handle.revoke(id)],
  revokeAll: [(handle) => handle.revokeAll({ all: true })],
  ownerGone: [(handle) => handle.ownerGone({ ownerId: 'ada' }), (handle) => handle.ownerGone({ ownerId: 'ada', dryRun: true })],
  ownerChanged: [(handle) => handle.ownerChanged({ ownerId: 'ada' })],
  erase: [(handle) => handle.erase({ ownerId: 'ada' }), (handle) => handle.erase({ ownerId: 'nobody' })],
  reportLeak: [
    (handle, { token }) => handle.reportLeak({ token, action: 'revoke' }),
    (handle, { token }) => handle.reportLeak({ token, action: 'notify' }),
  ],
  sealAudit: [(handle) => handle.sealAudit()],
  import: [(handle) => handle.import([oldToken(1).row], { format, map: terms })],
  prune: [(handle) => handle.prune({ before: new Date(START + 1) })],
}

async function contentsOf({ store, handle }: Node): Promise<unknown> {
  const { items } = await handle.list()
  return [items, await handle.events(), await store.seals({ prefix: 'acme_test', limit: 10 }), await store.changes('', 100)]
}

describe.each(INVALID)('while the clock option returns %s', (invalid) => {
  it.each(Object.keys(CHANGES) as (keyof typeof CHANGES)[])('%s fails with store_unavailable and writes nothing', async (verb) => {
    for (const change of CHANGES[verb]) {
      const world = node({ imports: { key: IMPORT_KEY, formats: [format] } })
      const { handle, clock } = world
      const { token, record } = await handle.create({ name: 'ERP', scopes: ['stock:read'], ownerId: 'ada', expiresIn: '1d' })
      const { id: inactive } = await handle.deactivate(await world.make())
      await handle.revoke(await world.make())
      const before = await contentsOf(world)

      clock.now = invalid
      const error: unknown = await change(handle, { id: record.id, token, inactive }).then(
        () => 'done',
        (reason: unknown) => reason,
      )
      expect(codeOf(error)).toBe('store_unavailable')
      expect(error).toMatchObject({ message: expect.stringContaining('the clock option returned an invalid time') })

      clock.now = START
      expect(await contentsOf(world)).toEqual(before)
    }
  })
})

it('a rotation with an invalid clock fails, and the token stays valid', async () => {
  let now = Date.now()
  const tokens = instance({ store: memoryStore(), clock: () => now })
  const { token, record } = await mint(tokens, { expiresIn: '1h' })
  now = Number.NaN
  expect(await refusal(tokens.system.rotate(record.id))).toBe('store_unavailable undefined')
  now = Date.now()
  expect(await verdict(tokens.verify(token))).toBe('ok')
})
