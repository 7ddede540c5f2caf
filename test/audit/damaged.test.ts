import type { AuditHead, Latchkey, TokenStore } from 'latchkey'
import { verifyAuditExport } from 'latchkey/audit'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { instance, mint, type Scope, until } from '../latchkey/harness.js'
import { ownFolder } from '../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { exported } from './log.js'

/** A store, and a function that damages the row of an event in its database. */
type Subject = {
  readonly store: TokenStore
  readonly damage: (id: string, text: string) => Promise<unknown>
  readonly fields: readonly string[]
}

async function sqlite(): Promise<Subject> {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const file = folder.path('tokens.db')
  const Driver = await findDriver()
  const damage = async (id: string, text: string): Promise<void> => {
    const database = new Driver(file)
    const update = database.prepare('update latchkey_events set after_fields = ? where id = ?') as { run(...values: string[]): unknown }
    update.run(text, id)
    database.close()
  }
  return { store: sqliteStore(file), damage, fields: ['after'] }
}

async function redis(url: string): Promise<Subject> {
  const keyPrefix = newKeyPrefix()
  onTestFinished(() => withRedis(url, (client) => removeKeys(client, keyPrefix)))
  const damage = (id: string, text: string): Promise<unknown> => withRedis(url, (client) => client.set(`${keyPrefix}ev:${id}`, text))
  return { store: redisStore({ url, keyPrefix, onWarning: () => undefined }), damage, fields: ['body'] }
}

async function subjectOf(kind: 'sqlite' | 'redis', skip: (why?: string) => never): Promise<Subject> {
  if (kind === 'sqlite') return await sqlite()
  const { url, skip: why } = await service('redis')
  return url === undefined ? skip(why) : await redis(url)
}

async function three(tokens: Latchkey<Scope>): Promise<readonly string[]> {
  for (const name of ['a', 'b', 'c']) await mint(tokens, { name })
  return (await tokens.system.events({ order: 'oldest' })).items.map(({ id }) => id)
}

describe.each(['sqlite', 'redis'] as const)('a damaged event on %s', (kind) => {
  it.for(['{"broken', '5'])(
    'a damaged event is named, and blocks no other event, consumer, seal or removal: %s',
    async (text, { skip }) => {
      const { store, damage, fields } = await subjectOf(kind, skip)
      const faults: string[] = []
      const tokens = instance({ store, onError: ({ where, error }) => faults.push(`${where}: ${error.message}`) })
      const [first = '', second = '', third = ''] = await three(tokens)
      const head = (await tokens.system.sealAudit()) as AuditHead
      await damage(second, text)
      const listed = (await tokens.system.events({ order: 'oldest' })).items
      expect(listed.map(({ id, damaged }) => [id, damaged])).toEqual([
        [first, undefined],
        [second, fields],
        [third, undefined],
      ])
      const seen: unknown[] = []
      const consumer = tokens.system.consume('siem', (event) => void seen.push([event.id, event.damaged]))
      await until(() => seen.length === 3)
      await consumer.stop()
      expect(seen[1]).toEqual([second, fields])
      expect((await tokens.health()).damagedEvents).toMatchObject([{ id: second, fields }])
      expect(faults).toEqual([expect.stringMatching(new RegExp(`^store.events: event ${second} .* is damaged in the store: ${fields} `))])
      const problem = { kind: 'changed', eventId: second, message: expect.stringContaining('cannot be read') }
      expect(await tokens.system.verifyAudit({ head })).toMatchObject({ ok: false, sealed: 2, problems: [problem] })
      expect(await verifyAuditExport(await exported(tokens.system.exportAudit()), { head })).toMatchObject({
        ok: false,
        problems: [problem],
      })
    },
  )

  it('an event that was damaged before sealing is always reported, and the events around it are sealed', async ({ skip }) => {
    const { store, damage } = await subjectOf(kind, skip)
    const tokens = instance({ store })
    const [, second = ''] = await three(tokens)
    await damage(second, '{"broken')
    const problem = { kind: 'changed', eventId: second, message: expect.stringContaining('cannot be read') }
    expect(await tokens.system.verifyAudit()).toMatchObject({ ok: false, behind: 3, problems: [problem] })
    const head = (await tokens.system.sealAudit()) as AuditHead
    expect(await tokens.system.verifyAudit({ head })).toMatchObject({ ok: false, sealed: 2, behind: 0, problems: [problem] })
  })
})
