import { type RedisStoreOptions, redisStore } from 'latchkey/stores/redis'
import { describe, expect, it } from 'vitest'

describe('the options of redisStore', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['neither url nor client', {}, 'options'],
    ['both url and client', { url: 'redis://localhost', client: { eval() {}, evalsha() {}, mget() {} } }, 'options'],
    ['another kind of url', { url: 'http://localhost:6379' }, 'url'],
    ['a url that is none', { url: 'localhost:6379' }, 'url'],
    ['a client of something else', { client: { query() {} } }, 'client'],
    ['an unknown option', { url: 'redis://localhost', prefix: 'x' }, 'prefix'],
    ['an empty key prefix', { url: 'redis://localhost', keyPrefix: '' }, 'keyPrefix'],
    ['a hash tag that is not closed', { url: 'redis://localhost', keyPrefix: '{acme' }, 'keyPrefix'],
    ['no history', { url: 'redis://localhost', feedHistory: 0 }, 'feedHistory'],
    ['a listener that is none', { url: 'redis://localhost', onWarning: 'log' }, 'onWarning'],
    ['nothing', undefined, 'options'],
  ]
  it.each(refused)('refuse %s and name the field', (_title, options, field) => {
    expect(() => redisStore(options as RedisStoreOptions)).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
  })

  it('never repeat a password', () => {
    expect(() => redisStore({ url: 'https://me:hunter2hunter2@localhost' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    )
  })
})
