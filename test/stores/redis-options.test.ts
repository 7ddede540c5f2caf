import { type RedisStoreOptions, redisStore } from 'latchkey/stores/redis'
import { describe, expect, it } from 'vitest'

describe('the options of redisStore', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['neither url nor client', {}, 'options'],
    ['both url and client', { url: 'redis://localhost', client: { eval() {}, evalsha() {}, mget() {} } }, 'options'],
    ['another kind of url', { url: 'http://localhost:6379' }, 'url'],
    ['an invalid url', { url: 'localhost:6379' }, 'url'],
    ['a database that is not a number', { url: 'redis://localhost/abc' }, 'url'],
    ['a nested database path', { url: 'redis://localhost/1/2' }, 'url'],
    ['a connection option in the url', { url: 'redis://localhost/1?connectTimeout=abc' }, 'url'],
    ['a client for another database', { client: { query() {} } }, 'client'],
    ['an unknown option', { url: 'redis://localhost', prefix: 'x' }, 'prefix'],
    ['an empty key prefix', { url: 'redis://localhost', keyPrefix: '' }, 'keyPrefix'],
    ['an unclosed hash tag', { url: 'redis://localhost', keyPrefix: '{acme' }, 'keyPrefix'],
    ['a feed history of zero', { url: 'redis://localhost', feedHistory: 0 }, 'feedHistory'],
    ['a listener that is not a function', { url: 'redis://localhost', onWarning: 'log' }, 'onWarning'],
    ['missing options', undefined, 'options'],
  ]
  it.each(refused)('refuses %s in redisStore and names the field', (_title, options, field) => {
    expect(() => redisStore(options as RedisStoreOptions)).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
  })

  it.each(['redis://localhost', 'redis://localhost/', 'rediss://u:p@localhost:6380/15', 'redis://[::1]/0?connectionName=api'])(
    'accepts the Redis URL %s',
    (url) => {
      expect(() => redisStore({ url })).not.toThrow()
    },
  )

  it('never repeats the password of a refused Redis URL', () => {
    expect(() => redisStore({ url: 'https://me:hunter2hunter2@localhost' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    )
  })
})
