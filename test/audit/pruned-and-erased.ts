import type { AuditHead } from 'latchkey'
import { verifyAuditExport } from 'latchkey/audit'
import { expect, onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { retain } from '../../src/verbs/retain.js'
import { HOUR, type Node, node } from '../verbs/notices-world.js'
import { exported } from './log.js'

/** A valid audit log, and checks that changes to it are detected. */
export type Audited = {
  readonly tokens: Node
  readonly head: AuditHead
  /** The number of sealed events and of listed events. */
  readonly sealed: number
  /** Expects that neither the database nor an export of it verifies. */
  isFound(what: string): Promise<void>
  /** Expects that the audit log verifies as it did at first. */
  isHonest(): Promise<void>
}

/** An audit log from which retention removed a part and an owner was erased. */
export async function prunedAndErased(store: TokenStore): Promise<Audited> {
  onTestFinished(() => Promise.resolve(store.close?.()))
  const tokens = node({ store, sealing: { every: '1h' }, retention: { events: '1h' } })
  const { handle, clock, context } = tokens
  const work = async (): Promise<void> => {
    for (const ownerId of ['bob', 'ada']) {
      const { record } = await handle.create({ name: `of ${ownerId}`, scopes: ['stock:read'], ownerId, tenantId: 't1' })
      await handle.update(record.id, { description: `for ${ownerId}` })
      await handle.revoke(record.id, { reason: `${ownerId} left` })
      await handle.sealAudit()
    }
  }
  await work()
  clock.now += 2 * HOUR
  await work()
  await retain(context, clock.now, async () => true)
  await handle.erase({ ownerId: 'bob', tenantId: 't1' })
  const head = (await handle.sealAudit()) as AuditHead
  const honest = await handle.verifyAudit({ head })
  expect(honest).toMatchObject({ ok: true, behind: 0, problems: [] })
  expect([honest.pruned, honest.erased].every((count) => count >= 3)).toBe(true)
  return {
    tokens,
    head,
    sealed: honest.sealed,
    async isFound(what) {
      for (const report of [await handle.verifyAudit({ head }), await verifyAuditExport(await exported(handle.exportAudit()), { head })])
        expect(report.ok, what).toBe(false)
    },
    async isHonest() {
      expect(await handle.verifyAudit({ head })).toMatchObject({ ok: true, behind: 0, sealed: honest.sealed })
    },
  }
}
