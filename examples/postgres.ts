/**
 * An application with an existing Postgres pool that keeps its tokens in a schema next to its own tables. A second node has its own pool.
 *
 * Run it with your own Postgres: `DATABASE_URL=postgres://postgres@127.0.0.1:5432/test npx tsx examples/postgres.ts`
 */
import { latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { escapeIdentifier, Pool } from 'pg'

const url = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/test'
const schema = process.env.TOKENS_SCHEMA ?? 'latchkey_example'

// The application's pool, which latchkey shares and never closes.
const pool = new Pool({ connectionString: url, max: 5 })
pool.on('error', (error) => console.error(`an idle connection was lost: ${error.message}`))

const catalogue = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

try {
  await pool.query(`create schema if not exists ${escapeIdentifier(schema)}`)

  const store = postgresStore({ pool, schema })
  // Runs automatically at the first use. In a deployment step, call it explicitly, or print `migrationSql('postgres', { schema })` and run that.
  await store.migrate()

  const here = latchkey({ prefix: 'acme_live', store, scopes: catalogue })
  const there = latchkey({ prefix: 'acme_live', store: postgresStore({ url, schema }), scopes: catalogue })
  try {
    const { token, record } = await here.system.create({ name: 'Nightly import', tenantId: 'acme', scopes: ['inventory:read'] })
    const seen = await there.verify(token, { ip: '192.0.2.7', endpoint: 'GET /stock' })
    console.log(`the other node: ${seen.ok ? `accepted, for ${seen.principal.name}` : `refused, ${seen.code}`}`)

    await here.system.revoke(record.id, { reason: 'the import moved' })
    const revoked = performance.now()
    while ((await there.verify(token)).ok) await new Promise((resolve) => setTimeout(resolve, 1))
    console.log(`the other node: refused, ${Math.round(performance.now() - revoked)} ms after the revocation was acknowledged`)

    const { rows } = await pool.query<{ open: string }>('select count(*) as open from pg_stat_activity where datname = current_database()')
    console.log(`and the application still uses its pool: ${rows[0]?.open} connections to this database`)
  } finally {
    await Promise.all([here.close(), there.close()])
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await pool.end()
}
