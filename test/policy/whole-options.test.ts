import { latchkey } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { exchange, foreignTokens, verifySigned } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { introspection, revocation } from 'latchkey/oauth'
import { natsTransport, redisTransport } from 'latchkey/relay'
import { memoryStore } from 'latchkey/stores/memory'
import { webhooks } from 'latchkey/webhooks'
import { expect, it } from 'vitest'

const KEY = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P'
const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'stock:read': 'See stock' } })

it.each<readonly [string, (text: string) => unknown]>([
  ['latchkey', (text) => latchkey(text as never)],
  ['webhooks', (text) => webhooks(tokens, text as never)],
  ['leakReports', (text) => leakReports(tokens, text as never)],
  ['exchange', (text) => exchange(tokens, text as never)],
  ['introspection', (text) => introspection(tokens, text as never)],
  ['revocation', (text) => revocation(tokens, text as never)],
  ['verifySigned', (text) => verifySigned(text as never)],
  ['foreignTokens', (text) => foreignTokens(text as never)],
  ['redisTransport', (text) => redisTransport(text as never)],
  ['natsTransport', (text) => natsTransport(text as never)],
  ['sha256Tokens', (text) => sha256Tokens(text as never)],
])('%s() does not quote a string passed instead of its options', (_name, make) => {
  for (const text of [KEY, `redis://:${KEY}@127.0.0.1:6379`]) {
    expect(() => make(text)).toThrow(expect.objectContaining({ code: 'invalid_input', message: expect.not.stringContaining(KEY) }))
    expect(() => make(text)).toThrow('must be an object, not text')
  }
})
