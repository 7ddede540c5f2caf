import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'

export const tokens = latchkey({
  prefix: 'acme_test',
  store: sqliteStore('tokens.db'),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})
