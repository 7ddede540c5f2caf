import { latchkey } from 'latchkey'
import { copy } from 'latchkey/copy'
import { sqliteStore } from 'latchkey/stores/sqlite'

// Copies one file into another and hangs at the given point until it is killed.
const [, , from = '', to = '', pass = '', part = ''] = process.argv

const nodeOver = (path: string) =>
  latchkey({ prefix: 'acme_test', store: sqliteStore(path), scopes: { 'stock:read': 'See stock' }, logger: false, deadline: '60s' })

await copy(nodeOver(from), nodeOver(to), {
  step: 'fence',
  onProgress: async (progress) => {
    if (progress.pass !== pass || progress.part !== part || progress.rows === 0) return
    process.stdout.write('here\n')
    await new Promise((resolve) => setTimeout(resolve, 600_000))
  },
})
