import { inspect } from 'node:util'
import { type ClientOptions, createClient } from 'latchkey/client'
import { fileStorage } from 'latchkey/client/node'
import { expect, it } from 'vitest'
import { MANAGE } from './world.js'

const TOKEN = `acme_live_${'a'.repeat(16)}_${'0123456789'.repeat(5).slice(1)}`
const SOURCE = 'check where it comes from, such as an environment variable that is not set'
const ok = { manage: MANAGE, save() {}, load() {} }

it.each<[unknown, string]>([
  [undefined, 'options: must be an object'],
  [null, 'options: must be an object'],
  ['https://api.test', 'options: must be an object'],
  [{ ...ok, save: undefined }, 'save: is required: a function that stores each new token'],
  [{ ...ok, save: null }, 'save: must be a function'],
  [{ ...ok, save: 1 }, 'save: must be a function'],
  [{ ...ok, load: null }, 'load: must be a function'],
  [{ ...ok, lock: {} }, 'lock: must be a function'],
  [{ ...ok, fetch: 1 }, 'fetch: must be a function'],
  [{ ...ok, onError: 'log' }, 'onError: must be a function'],
  [{ ...ok, load: undefined }, 'token: is required without `load`'],
  [{ ...ok, load: undefined, token: undefined }, `token: is undefined: ${SOURCE}`],
  [{ ...ok, token: '' }, `token: is empty: ${SOURCE}`],
  [{ ...ok, token: null }, 'token: must be a complete token'],
  [{ ...ok, token: 'x' }, 'token: must be a complete token, such as acme_live_…, without spaces'],
  [{ ...ok, manage: ['https://api.test'] }, 'manage: must be https://'],
  [{ ...ok, manage: Object.create(null) }, 'manage: must be https://'],
  [{ ...ok, manage: undefined }, `manage: is undefined: ${SOURCE}`],
  [{ save() {}, load() {} }, `manage: is undefined: ${SOURCE}`],
  [{ ...ok, manage: '' }, `manage: is empty: ${SOURCE}`],
  [{ ...ok, origins: [undefined] }, `origins: is undefined: ${SOURCE}`],
  [{ ...ok, manage: '/tokens' }, 'manage: must be https://'],
  [{ ...ok, manage: 'ftp://api.test' }, 'manage: must be https://'],
  [{ ...ok, manage: 'https://u:p@api.test' }, 'manage: must be https://'],
  [{ ...ok, manage: `${MANAGE}?a=1` }, 'manage: must be https://'],
  [{ ...ok, manage: `${MANAGE}#a` }, 'manage: must be https://'],
  [{ ...ok, overlap: 0 }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: 1.5 }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: '1y' }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: '91d' }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: Number.NaN }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: null }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: ['1h'] }, 'overlap: must be a number of seconds'],
  [{ ...ok, overlap: Object.create(null) }, 'overlap: must be a number of seconds'],
  [{ ...ok, deadline: '' }, 'deadline: must be a number of seconds'],
  [{ ...ok, origins: [] }, 'origins: must be a list'],
  [{ ...ok, origins: null }, 'origins: must be a list'],
  [{ ...ok, origins: 'https://a.test' }, 'origins: must be a list'],
  [{ ...ok, origins: [null] }, 'origins: must be https://'],
  [{ ...ok, origins: ['https://a.test/x'] }, 'origins: must be https://'],
  [{ ...ok, origins: ['*'] }, 'origins: must be https://'],
  [{ ...ok, overlapSeconds: 5 }, 'overlapSeconds: is not an option'],
])('createClient() rejects the options %j', (options, message) => {
  expect(() => createClient(options as never)).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(message) }),
  )
})

it.each([undefined, null, '', 7, new URL('file:///tmp/token')])('fileStorage() rejects the path %j', (path) => {
  expect(() => fileStorage(path as never)).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: 'path: must be the path of the file that contains the token' }),
  )
})

it('createClient() names the file that has no token', async () => {
  const client = createClient({ manage: MANAGE, ...fileStorage('/nowhere/at/all/token') })
  await expect(client.fetch(`${new URL(MANAGE).origin}/x`)).rejects.toThrow(
    expect.objectContaining({
      code: 'token_missing',
      message: 'fileStorage("/nowhere/at/all/token").load() returned no token, and the `token` option is not set',
    }),
  )
})

it('createClient() lists every option when it rejects a misspelled option', () => {
  const all: Required<ClientOptions> = {
    manage: new URL(MANAGE),
    token: TOKEN,
    load: () => undefined,
    save() {},
    lock: (work) => work(),
    overlap: '1h',
    origins: ['https://api.test'],
    deadline: 5,
    fetch,
    onError() {},
  }
  expect(() => createClient(all)).not.toThrow()
  const list = Object.keys(all).join(', ')
  expect(() => createClient({ ...all, onerror() {} } as never)).toThrow(`onerror: is not an option; use ${list}`)
})

it('createClient() never quotes a token that it rejects or that was passed in place of another option', () => {
  const wrong: readonly unknown[] = [
    TOKEN,
    { ...ok, token: `${TOKEN}\n` },
    { ...ok, token: TOKEN.slice(0, -1) },
    { ...ok, token: { token: TOKEN } },
    { ...ok, [TOKEN]: true },
    ...['manage', 'load', 'save', 'lock', 'overlap', 'origins', 'deadline', 'fetch', 'onError'].map((name) => ({ ...ok, [name]: TOKEN })),
  ]
  for (const options of wrong) {
    let thrown: unknown
    try {
      createClient(options as never)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'invalid_input' })
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain('123456789012')
  }
})

it.each(['1s', '15m', '12h', '90d', '2w', 30])('createClient() accepts %s as an overlap', (overlap) => {
  expect(() => createClient({ ...ok, load: () => undefined, overlap: overlap as never })).not.toThrow()
})
