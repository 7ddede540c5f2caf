import { latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'

export const tokens = latchkey({
  prefix: 'acme_test',
  store: postgresStore({ url: process.env.DATABASE_URL }),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})
