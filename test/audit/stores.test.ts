import type { AuditHead } from 'latchkey'
import { verifyAuditExport, verifyEventProof } from 'latchkey/audit'
import { afterEach, describe, expect, it } from 'vitest'
import { openAt, type Place } from '../activity/crash/open.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { type ServiceName, service } from '../support/services.js'
import { exported } from './log.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function placeOf(kind: Place['kind'], url: string): Promise<Place> {
  if (kind === 'sqlite') {
    const folder = await ownFolder()
    cleanups.push(() => folder.remove())
    return { kind, at: folder.path('tokens.db'), name: '' }
  }
  if (kind === 'redis') {
    const name = newKeyPrefix()
    cleanups.push(() => withRedis(url, (client) => removeKeys(client, name)))
    return { kind, at: url, name }
  }
  const place = kind === 'postgres' ? await ownSchema(url) : await ownDatabase(url)
  cleanups.push(() => place.remove())
  return { kind, at: place.url, name: place.schema }
}

async function proveOneChain(kind: Place['kind'], url: string): Promise<void> {
  const place = await placeOf(kind, url)
  const nodes = [openAt(place), openAt(place), openAt(place)]
  for (const node of nodes) cleanups.push(() => node.close())
  await nodes[0]?.system.sealAudit()
  await Promise.all(
    nodes.map(async ({ system }, index) => {
      for (let turn = 0; turn < 8; turn += 1) {
        const { record } = await system.create({ name: `ä😀 ${turn}`, scopes: ['stock:read'], tenantId: `t${index}`, metadata: { n: 1.5 } })
        if (turn === 7) await system.revokeAll({ tenantId: `t${index}`, reason: 'end' })
        else await system.update(record.id, { description: '"\\' })
        await system.sealAudit()
      }
    }),
  )
  const { system } = nodes[1] as (typeof nodes)[0]
  const head = (await system.sealAudit()) as AuditHead
  expect(await system.verifyAudit({ head })).toMatchObject({ ok: true, sealed: 48, behind: 0, problems: [] })
  expect(await verifyAuditExport(await exported(system.exportAudit()), { head })).toMatchObject({ ok: true, sealed: 48 })
  const [first] = (await system.events({ order: 'oldest', limit: 1 })).items
  expect(await verifyEventProof(await system.proveEvent(first?.id ?? '', { head }), { head })).toEqual({ ok: true })
}

describe('one valid chain from nodes that write and seal concurrently', () => {
  it('builds one valid chain of seals on SQLite from nodes that write and seal concurrently', { timeout: 120_000 }, () =>
    proveOneChain('sqlite', ''),
  )

  for (const name of ['postgres', 'mysql', 'redis'] satisfies ServiceName[]) {
    it(`builds one valid chain of seals on ${name} from nodes that write and seal concurrently`, { timeout: 120_000 }, async ({ skip }) => {
      const { url, skip: why } = await service(name)
      if (url === undefined) return skip(why)
      await proveOneChain(name, url)
    })
  }
})
