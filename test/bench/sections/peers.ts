import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { SqliteDialect } from 'kysely'
import { type Latchkey, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import Database from 'libsql'
import { Pool } from 'pg'
import { deciderOf } from '../../../src/instance.js'
import { ownSchema } from '../../stores/sql/databases.js'
import { newKeyPrefix, removeKeys } from '../../support/redis.js'
import { service } from '../../support/services.js'
import { measurePaired, type Variant } from '../paired.js'
import { peer } from '../peer.js'
import { atLeast, fixed, type Section, times, type Verdict } from '../result.js'

const KEYS = 100

type BetterAuth = {
  readonly options: unknown
  readonly api: {
    signUpEmail(input: { body: object }): Promise<{ user: { id: string } }>
    createApiKey(input: { body: object }): Promise<{ key: string }>
    verifyApiKey(input: { body: { key: string } }): Promise<{ valid: boolean }>
  }
}
type BetterAuthModule = { betterAuth(options: object): BetterAuth }
type PrefixedApiKey = {
  generateAPIKey(options: object): Promise<{ token: string; shortToken: string; longTokenHash: string }>
  extractShortToken(token: string): string
  checkAPIKey(token: string, hash: string): boolean
}

/** Warm verification compared with other products as shipped, with their rate limits turned off. */
export const peers: Section = async ({ quick }) => {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  const ours = await latchkeyVariant()
  const compare = async (name: string, variant: Variant, aim: number, count: number): Promise<void> => {
    const [base, other] = await measurePaired([ours.variant(count), variant], { rounds: quick ? 3 : 20, count })
    if (base === undefined || other === undefined) return
    const ratio = other.p10 / base.p10
    rows.push([name, fixed(other.p10), fixed(base.p10), times(ratio)])
    verdicts.push(
      atLeast(
        `CPU per verification with ${name}, relative to latchkey`,
        aim,
        ratio,
        '×',
        name.startsWith('prefixed') ? WHY_HASH : WHY_FLOOR,
      ),
    )
  }
  await compare('prefixed-api-key with a Map', await prefixedApiKey(), 3, 2000)
  for (const database of await databases()) {
    const { variant, close } = await betterAuth(database)
    try {
      await compare(`Better Auth on ${database.name}`, variant, 300, quick ? 20 : 100)
    } finally {
      await close()
    }
  }
  await ours.tokens.close()
  const head = ['peer', 'CPU µs of the peer (p10)', 'CPU µs of latchkey (p10)', 'ratio']
  return { tables: [{ title: 'Verification with other libraries', head, rows }], verdicts }
}

const WHY_HASH =
  'Both libraries compute one SHA-256, which is a large part of latchkey’s total time. So another library that hashes with the platform’s engine and does little else cannot take three times as long.'
const WHY_FLOOR = 'Without a database, the other library only works in memory, and the ratio shows the cost of that work.'

async function latchkeyVariant(): Promise<{ tokens: Latchkey; variant(slice: number): Variant }> {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'stock:read': 'See stock' } })
  const texts: string[] = []
  for (let at = 0; at < KEYS; at += 1) {
    const { token } = await tokens.system.create({ name: `key ${at}`, scopes: ['stock:read'] })
    texts.push(token)
  }
  for (let round = 0; round < 200; round += 1) for (const token of texts) await tokens.verify(token)
  // Called the way adapters do: without a promise if none is needed.
  const run = (count: number): void => {
    for (let at = 0; at < count; at += 1) {
      const verification = deciderOf(tokens).decide(texts[at % KEYS] ?? '')
      if (!('ok' in verification) || !verification.ok) throw new Error('the benchmark refused a valid token')
      deciderOf(tokens).countUse(verification.principal, { endpoint: 'GET /stock/:id' })
    }
  }
  return { tokens, variant: (slice) => ({ name: 'latchkey', run, repeat: Math.ceil(10_000 / slice) }) }
}

async function prefixedApiKey(): Promise<Variant> {
  const { generateAPIKey, extractShortToken, checkAPIKey } = await peer<PrefixedApiKey>('prefixed-api-key')
  const hashes = new Map<string, string>()
  const texts: string[] = []
  for (let at = 0; at < KEYS; at += 1) {
    const { token, shortToken, longTokenHash } = await generateAPIKey({ keyPrefix: 'acme' })
    hashes.set(shortToken, longTokenHash)
    texts.push(token)
  }
  return {
    name: 'prefixed-api-key',
    run(count) {
      for (let at = 0; at < count; at += 1) {
        const token = texts[at % KEYS] ?? ''
        if (!checkAPIKey(token, hashes.get(extractShortToken(token)) ?? '')) throw new Error('refused')
      }
    },
  }
}

type Place = {
  readonly name: string
  readonly options: object
  readonly migrates: boolean
  readonly storage?: string
  close(): Promise<void>
}

async function databases(): Promise<Place[]> {
  const { memoryAdapter } = await peer<{ memoryAdapter(tables: object): unknown }>('better-auth/adapters/memory')
  const tables = (): object => ({ user: [], session: [], account: [], verification: [], apikey: [] })
  const places: Place[] = [
    { name: 'memory', options: { database: memoryAdapter(tables()) }, migrates: false, close: async () => undefined },
  ]
  const file = join(tmpdir(), `latchkey-bench-${process.pid}.db`)
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  places.push({
    name: 'SQLite',
    options: { database: { dialect: new SqliteDialect({ database: database as never }), type: 'sqlite' } },
    migrates: true,
    close: async () => {
      database.close()
      for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
    },
  })
  const postgres = await service('postgres')
  if (postgres.url !== undefined) {
    const place = await ownSchema(postgres.url)
    const pool = new Pool({ connectionString: postgres.url, options: `-c search_path=${place.schema}` })
    const close = async (): Promise<void> => {
      await pool.end()
      await place.remove()
    }
    places.push({ name: 'Postgres', options: { database: pool }, migrates: true, close })
  }
  const redis = await service('redis')
  if (redis.url !== undefined) {
    const client = new Redis(redis.url)
    const prefix = newKeyPrefix()
    const secondaryStorage = {
      get: (key: string) => client.get(prefix + key),
      set: async (key: string, value: string, ttl?: number) => {
        await (ttl === undefined ? client.set(prefix + key, value) : client.set(prefix + key, value, 'EX', Math.ceil(ttl)))
      },
      delete: async (key: string) => {
        await client.del(prefix + key)
      },
    }
    const close = async (): Promise<void> => {
      await removeKeys(client, prefix)
      client.disconnect()
    }
    const options = { database: memoryAdapter(tables()), secondaryStorage }
    places.push({ name: 'Redis', options, migrates: false, storage: 'secondary-storage', close })
  }
  return places
}

async function betterAuth(place: Place): Promise<{ variant: Variant; close(): Promise<void> }> {
  const { betterAuth: create } = await peer<BetterAuthModule>('better-auth')
  const { apiKey } = await peer<{ apiKey(options: object): unknown }>('@better-auth/api-key')
  const auth = create({
    ...place.options,
    secret: 'a secret of at least thirty-two characters, for the benchmark',
    baseURL: 'http://127.0.0.1',
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [apiKey({ rateLimit: { enabled: false }, ...(place.storage !== undefined && { storage: place.storage }) })],
  })
  if (place.migrates) {
    const { getMigrations } = await peer<{ getMigrations(options: unknown): Promise<{ runMigrations(): Promise<void> }> }>(
      'better-auth/db/migration',
    )
    await (await getMigrations(auth.options)).runMigrations()
  }
  const { user } = await auth.api.signUpEmail({ body: { email: 'bench@example.com', password: 'correct horse', name: 'Bench' } })
  const keys: string[] = []
  for (let at = 0; at < KEYS; at += 1) keys.push((await auth.api.createApiKey({ body: { userId: user.id, name: `key ${at}` } })).key)
  const run = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      const { valid } = await auth.api.verifyApiKey({ body: { key: keys[at % KEYS] ?? '' } })
      if (!valid) throw new Error('Better Auth refused its own key')
    }
  }
  return { variant: { name: `Better Auth on ${place.name}`, run }, close: place.close }
}
