// Creates a customer and its token together or not at all, in one transaction on SQLite.
// Run it with `npx tsx examples/transaction.ts`.
import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'

const database = new Database(':memory:')
database.exec('create table customers (id text primary key)')
const store = sqliteStore({ database })
const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'inventory:read': 'See stock' } })
await store.migrate()

async function signUp(tenantId: string): Promise<string> {
  database.exec('begin immediate')
  try {
    const minted = await tokens.system.create({ name: 'ERP', tenantId, scopes: ['inventory:read'] }, { transaction: database })
    database.prepare('insert into customers (id) values (?)').run([tenantId])
    database.exec('commit')
    return minted.token
  } catch (error) {
    database.exec('rollback')
    throw error
  }
}

const token = await signUp('globex')
console.log(`committed: ${(await tokens.verify(token)).ok}`)
// The customer already exists, so the second token is not created.
await signUp('globex').catch(() => console.log('rolled back'))
const { items } = await tokens.system.events()
console.log(`tokens: ${(await tokens.system.list()).items.length}, events: ${items.map(({ action }) => action).join(', ')}`)
await tokens.close()
