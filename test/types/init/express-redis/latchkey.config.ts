import { latchkey } from 'latchkey'
import { redisStore } from 'latchkey/stores/redis'

export const tokens = latchkey({
  prefix: 'acme_test',
  store: redisStore({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' }),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})
