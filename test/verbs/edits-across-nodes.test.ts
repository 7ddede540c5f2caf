import type { Actor, Latchkey } from 'latchkey'
import { interceptStore, type StoreMethod } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, pause, refusal, type Scope, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const ADMIN: Actor = { id: 'ann', tenants: ['t1'], manages: 'all' }
const WRITES: ReadonlySet<StoreMethod> = new Set(['commit', 'revokeWhere'])

/** A store that runs a function before each change that is made through it. */
const preceded = (store: TokenStore, first: () => Promise<unknown>): TokenStore =>
  interceptStore(store, async ({ method }, proceed) => {
    if (WRITES.has(method)) await first()
    return await proceed()
  })

/** Edits that one node makes before each change of another node. */
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

    it('a revocation succeeds even if an edit gets ahead of each of its attempts', async () => {
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

    it('explain() knows the past of a token that was revoked during concurrent edits', async () => {
      const { editor, admins, target, record } = await nodes()
      const at = Date.now()
      await pause(2)
      target()
      await admins.as(ADMIN).revoke(record.id)
      expect(await editor.system.explain(record.id, { at })).toMatchObject({ ok: true })
    })
  })
}
