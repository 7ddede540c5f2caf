import { sqliteStore } from '../../../adapters/stores/sqlite.js'
import { event, token } from './samples.js'

// One of several processes that share a file. It sets up the file, then writes tokens, each in its own commit.
const [, , path = '', name = '', count = '0'] = process.argv
const store = sqliteStore({ path, busyTimeout: 20 })
await store.migrate?.()
process.stdout.write('ready\n')
for (let index = 0; index < Number(count); index += 1) {
  const id = `${name}${String(index).padStart(6, '0')}`
  const result = await store.commit({ inserts: [token({ id })], events: [event({ id: `E${id}` })] })
  if (!result.ok) throw new Error(result.conflict)
}
await store.close?.()
