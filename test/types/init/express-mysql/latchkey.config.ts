import { latchkey } from 'latchkey'
import { mysqlStore } from 'latchkey/stores/mysql'

export const tokens = latchkey({
  prefix: 'acme_test',
  store: mysqlStore({ url: process.env.DATABASE_URL }),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})
