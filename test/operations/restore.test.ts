import { execFileSync } from 'node:child_process'
import { copyFileSync, openSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { latchkey, type Minted } from 'latchkey'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { expect, it, vi } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import type { TokenStore } from '../../src/store/port.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { createRedisServer, redisServerMissing } from '../support/redis-server.js'
import { service } from '../support/services.js'
import { programOn } from './page.js'

vi.setConfig({ testTimeout: 60_000 })

const postgres = await service('postgres')
const mysql = await service('mysql')
const scopes = { 'inventory:read': 'See stock' }
const open = (store: TokenStore) => latchkey({ prefix: 'acme_live', store, scopes, onReuse: 'revoke_lineage' })

type Exporter = typeof import('./shapes.js')
type Place = { store(): TokenStore; backup(): unknown; restore(): unknown; readonly exported: string; remove(): Promise<void> }

async function sqlitePlace(): Promise<Place> {
  const folder = await ownFolder()
  const [file, copy] = [folder.path('tokens.db'), folder.path('copy.db')]
  const Driver = await findDriver('libsql')
  return {
    store: () => sqliteStore(file),
    backup() {
      const database = new Driver(file)
      database.exec(`vacuum into '${copy}'`)
      database.close()
    },
    restore() {
      for (const part of ['', '-wal', '-shm']) rmSync(file + part, { force: true })
      copyFileSync(copy, file)
    },
    exported: folder.path('events.jsonl'),
    remove: () => folder.remove(),
  }
}

async function postgresPlace(): Promise<Place> {
  const url = postgres.url ?? ''
  const [folder, schema] = [await ownFolder(), await ownSchema(url)]
  const copy = folder.path('copy.sql')
  return {
    store: () => postgresStore({ url, schema: schema.schema }),
    backup: () => void execFileSync('pg_dump', ['--clean', '--if-exists', '--schema', schema.schema, '--file', copy, url]),
    restore: () =>
      void execFileSync('psql', ['--quiet', '--set', 'ON_ERROR_STOP=1', '--file', copy, url], { stdio: ['ignore', 'ignore', 'pipe'] }),
    exported: folder.path('events.jsonl'),
    async remove() {
      await schema.remove()
      await folder.remove()
    },
  }
}

async function mysqlPlace(): Promise<Place> {
  const [folder, database] = [await ownFolder(), await ownDatabase(mysql.url ?? '')]
  const { hostname, port, username, password, pathname } = new URL(database.url)
  const server = ['--host', hostname, '--port', port || '3306', '--user', decodeURIComponent(username), '--protocol', 'tcp']
  const env = { ...process.env, MYSQL_PWD: decodeURIComponent(password) }
  const copy = folder.path('copy.sql')
  return {
    store: () => mysqlStore({ url: database.url }),
    backup: () =>
      void execFileSync('mysqldump', [...server, '--single-transaction', '--hex-blob', '--result-file', copy, pathname.slice(1)], { env }),
    restore: () => void execFileSync('mysql', [...server, pathname.slice(1)], { env, stdio: [openSync(copy, 'r'), 'ignore', 'pipe'] }),
    exported: folder.path('events.jsonl'),
    async remove() {
      await database.remove()
      await folder.remove()
    },
  }
}

async function redisPlace(): Promise<Place> {
  const folder = await ownFolder()
  const copy = folder.path('copy.rdb')
  const lost = await createRedisServer()
  const fresh = await createRedisServer(['--dir', dirname(copy), '--dbfilename', 'copy.rdb', '--appendonly', 'no'])
  await lost.start()
  let { url } = lost
  return {
    store: () => redisStore({ url }),
    backup: () => void execFileSync('redis-cli', ['-p', `${lost.port}`, '--rdb', copy], { stdio: 'ignore' }),
    async restore() {
      await lost.kill()
      await fresh.start()
      await fresh.ask('CONFIG', 'SET', 'appendonly', 'yes')
      url = fresh.url
    },
    exported: folder.path('events.jsonl'),
    async remove() {
      await lost.dispose()
      await fresh.dispose()
      await folder.remove()
    },
  }
}

it.each([
  ['SQLite', sqlitePlace, undefined],
  ['Postgres', postgresPlace, postgres.skip],
  ['MySQL or MariaDB', mysqlPlace, mysql.skip],
  ['Redis', redisPlace, redisServerMissing()],
])(
  'rejects every token that ended after the backup once a restore on %s is finished, and accepts all others',
  async (_name, make, skip) => {
    if (skip !== undefined) return
    const { exportEvents } = await programOn<Exporter>('backup', 'export-events.ts')
    const { reapply } = await programOn<Exporter>('backup', 'reapply.ts')
    const place = await make()
    try {
      const before = open(place.store())
      const create = (name: string, more: object = {}) => before.system.create({ name, scopes: ['inventory:read'], ...more })
      const kept = [
        await create('kept'),
        await create('of another tenant', { tenantId: 'other' }),
        await create('of another creator', { tenantId: 'own' }),
        await create('of another owner', { ownerId: 'bob' }),
      ]
      const ended: Minted[] = []
      for (const [name, more] of [
        ['revoked', {}],
        ['of the tenant', { tenantId: 'acme' }],
        ['of the owner', { ownerId: 'ada' }],
        ['who left', { ownerId: 'eve', tenantId: 'globex' }],
        ['rolled', {}],
        ['of the actor', { tenantId: 'own' }],
        ['reused', {}],
      ] as const) {
        ended.push(await create(name, more))
      }
      const [revoked, , , , rolled, ofActor, reused] = ended.map(({ record }) => record.id) as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ]
      const mine = await before
        .as({ id: 'mallory', tenants: ['own'], manages: 'own' })
        .create({ name: 'mine', scopes: ['inventory:read'], ownerId: 'mallory', tenantId: 'own' })
      const asleep = await create('deactivated')
      const overlapping = await create('overlapping')
      const rotatedBefore = await create('rotated before')
      const successor = await before.system.rotate(rotatedBefore.record.id, { overlap: '1h' })
      const left = await create('of someone who left', { ownerId: 'zoe' })
      const given = await before.system.rotate(left.record.id, { overlap: '1h' })
      const heir = await before.system.rotate(given.record.id, { ownerId: 'erp-service' })
      await before.close()
      await place.backup()

      const after = open(place.store())
      const consumer = exportEvents(after, place.exported)
      await after.system.revoke(revoked)
      await after.system.revokeAll({ tenantId: 'acme' })
      await after.system.revokeAll({ ownerId: 'ada' })
      await after.system.ownerGone({ ownerId: 'eve' })
      await after.system.rotate(rolled)
      await after.system.revoke(ofActor)
      await after.as({ id: 'mallory', tenants: ['own'], manages: 'own' }).revokeAll({ all: true })
      await after.system.deactivate(asleep.record.id)
      const next = await after.system.rotate(overlapping.record.id, { overlap: '1h' })
      // A token presented after its rotation ends its whole lineage.
      const line = await after.system.rotate(reused)
      await after.verify(ended[6]?.token ?? '')
      await expect.poll(async () => (await after.system.get(line.record.id))?.status).toBe('revoked')
      // This reuse does not end the token that was given to another owner.
      await after.verify(given.token)
      await expect.poll(async () => (await after.system.get(left.record.id))?.status).toBe('revoked')
      const born = await after.system.create({ name: 'created since', scopes: ['inventory:read'] })
      await expect.poll(() => readFileSync(place.exported, 'utf8')).toContain(born.record.id)
      await consumer.stop()
      await after.close()

      await place.restore()
      const restored = open(place.store())
      expect(await restored.verify(ended[0]?.token ?? ''), 'without the procedure, the token works again').toMatchObject({ ok: true })
      const events = readFileSync(place.exported, 'utf8')
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text))
      const { lost } = await reapply(restored, events)
      for (const { token, record } of [...ended, mine, left])
        expect(await restored.verify(token), record.name).toMatchObject({ ok: false, code: 'token_revoked' })
      for (const { token, record } of [...kept, rotatedBefore, successor, heir])
        expect(await restored.verify(token), record.name).toMatchObject({ ok: true })
      expect(await restored.verify(asleep.token)).toMatchObject({ ok: false, code: 'token_inactive' })
      // The overlap of this token continues and ends at the planned time.
      const end = (await restored.system.get(overlapping.record.id))?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
      expect(end).toBeLessThanOrEqual(next.record.createdAt.getTime() + 3_600_000)
      expect([...lost].sort()).toEqual(expect.arrayContaining([born.record.id, next.record.id]))
      expect((await reapply(restored, events)).ended, 'running the procedure again changes nothing').toBe(0)
      await restored.close()
    } finally {
      await place.remove()
    }
  },
)
