import type { Actor, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore, type StoreMethod } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, pause, refusal, type Scope, until, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const WRITES: ReadonlySet<StoreMethod> = new Set(['commit', 'revokeWhere'])

/** A store on which something happens before each change that is made through it. */
const preceded = (store: TokenStore, first: () => Promise<unknown>): TokenStore =>
  interceptStore(store, async ({ method }, proceed) => {
    if (WRITES.has(method)) await first()
    return await proceed()
  })

/** Edits that one node makes before each change of another. */
function editsFirst(editor: Latchkey<Scope>) {
  let [id, at] = ['', 0]
  const edit = async (): Promise<unknown> => {
    at += 1
    return id === '' ? undefined : await refusal(editor.system.update(id, { description: `d${at}` }))
  }
  const target = (given: string): void => {
    id = given
  }
  return { edit, target }
}

for (const { kind, skip, place } of await everyStore()) {
  describe.skipIf(skip !== undefined)(`edits from another node, on ${kind} ${skip ?? ''}`, () => {
    async function nodes() {
      const open = await place()
      const editor = instance({ store: open() })
      const { edit, target } = editsFirst(editor)
      const admins = instance({ store: preceded(open(), edit) })
      const minted = await mint(editor, { tenantId: 't1', rotateEvery: '30d' })
      return { editor, admins, target: () => target(minted.record.id), ...minted }
    }

    it('a revocation is made even if an edit precedes each of its attempts', async () => {
      const { editor, admins, target, token, record } = await nodes()
      target()
      const revoked = await admins.as(ADMIN).revoke(record.id, { reason: 'laptop lost' })
      expect(revoked).toMatchObject({ status: 'revoked', revokedBy: 'ann', revokedCode: 'manual', revokedReason: 'laptop lost' })
      expect(await editor.system.get(record.id)).toEqual(revoked)
      expect(await verdict(admins.verify(token))).toBe('token_revoked')
      expect(await refusal(editor.system.update(record.id, { name: 'later' }))).toBe('conflict undefined')
      expect(await admins.as({ ...ADMIN, id: 'bob' }).revoke(record.id)).toEqual(revoked)
      for (const query of [{ tokenId: record.id }, {}]) {
        const { items } = await editor.system.events({ ...query, action: 'token.revoked' })
        expect(items).toHaveLength(1)
        expect(items[0]).toMatchObject({ tokenId: record.id, tenantId: 't1', actorId: 'ann', reason: 'laptop lost' })
        expect(items[0]?.after).toMatchObject({ revokedBy: 'ann', revokedCode: 'manual', revokedReason: 'laptop lost' })
      }
    })

    it('a reported leak revokes the token even if an edit precedes each attempt', async () => {
      const { editor, admins, target, token, record } = await nodes()
      target()
      const reported = await admins.as(ADMIN).reportLeak({ token, action: 'revoke', source: 'git' })
      expect(reported).toMatchObject({ known: true, repeated: false, record: { status: 'revoked', revokedCode: 'leaked' } })
      const { items } = await editor.system.events({ tokenId: record.id })
      for (const action of ['token.revoked', 'token.leaked']) expect(items.filter((event) => event.action === action)).toHaveLength(1)
    })

    it('the past of a token that was revoked among edits is known', async () => {
      const { editor, admins, target, record } = await nodes()
      const at = Date.now()
      await pause(2)
      target()
      await admins.as(ADMIN).revoke(record.id)
      expect(await editor.system.explain(record.id, { at })).toMatchObject({ ok: true })
    })
  })
}

/**
 * Two nodes on one store that is some milliseconds away. The editor's has edited one token for so long that it slows down. Before each change that the
 * administrator's node makes, the other node starts an edit, and gets a head start.
 */
async function flooded() {
  const store = memoryStore()
  const editor = instance({
    store: interceptStore(store, async ({ method }, proceed) => {
      if (method === 'commit') await pause(5)
      return await proceed()
    }),
    deadline: '1s',
  })
  const { edit, target } = editsFirst(editor)
  const begun: Promise<unknown>[] = []
  const admins = instance({
    store: preceded(store, async () => {
      const edited = edit()
      begun.push(edited)
      await Promise.race([edited, pause(30)])
    }),
    deadline: '60s',
  })
  const minted = await mint(editor, { tenantId: 't1' })
  target(minted.record.id)
  return { editor, admins, edit, edited: () => Promise.all(begun), ...minted }
}

it.each([
  ['deactivate', 'inactive'],
  ['rotate', 'revoked'],
] as const)('%s() is not held up by a flood of edits of the same token from another node', async (verb, status) => {
  const { editor, admins, edit, edited, record } = await flooded()
  for (let made = 0; made < 60; made += 1) await edit()
  await admins.as(ADMIN)[verb](record.id)
  expect((await editor.system.get(record.id))?.status).toBe(status)
  await edited()
})

it('an edit that pauses gives way to a deactivation on its own node', async () => {
  const { editor, edit, record } = await flooded()
  for (let made = 0; made < 60; made += 1) await edit()
  const edits = Promise.all(Array.from({ length: 3 }, () => edit()))
  await pause(10)
  expect(await Promise.race([editor.system.deactivate(record.id), edits])).toMatchObject({ status: 'inactive' })
  await edits
})

it('edits of a token on several nodes that compete for it give way to a deactivation on another', async () => {
  const store = memoryStore()
  const far = () =>
    interceptStore(store, async ({ method }, proceed) => {
      if (method !== 'find' && method !== 'commit') return await proceed()
      await pause(10)
      const answer = await proceed()
      await pause(10)
      return answer
    })
  const [admins, ...editors] = Array.from({ length: 8 }, () => instance({ store: far(), deadline: '10s' }))
  if (admins === undefined) throw new Error('no node')
  const { record } = await mint(admins, { tenantId: 't1' })
  let over = false
  const floods = [...editors, ...editors].map(async (editor, of) => {
    for (let at = 0; !over; at += 1) await refusal(editor.system.update(record.id, { description: `${of} ${at}` }))
  })
  await until(async () => ((await admins.system.get(record.id))?.version ?? 0) > 10)
  const outcome = await refusal(admins.as(ADMIN).deactivate(record.id))
  over = true
  await Promise.all(floods)
  expect(outcome).toBe('done')
})
