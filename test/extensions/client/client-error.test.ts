import { ClientError } from 'latchkey/client'
import { expect, it } from 'vitest'
import { describe as textOf } from '../../../src/extensions/client/client-error.js'

it.each([
  'duplicate key: Key (rotation)=(4kQ0tXb2LrVn8ZcD.e4cfe15a-805f-420c-91ed-7e5dc19b4ca8.3600) already exists',
  'failed: {"idempotency-key":"44D92AEE-1f6b-4c8e-9d52-0a1b2c3d4e5f"}',
])('a client error never contains the key of a rotation: %s', (message) => {
  const error = new ClientError('storage_failed', message)
  expect(error.message).not.toMatch(/e4cfe15a|7e5dc19b4ca8|44D92AEE|2c3d4e5f/i)
  expect(error.message).toContain('…')
})

const SECRET = 'IVYRDwIXk3vQ9aZ7mB2nT5cL8pE1sG4hJ6uW0xK3yD7fA9q1R'
const TOKEN = `acme_test_0123456789abcdef_${SECRET}`

it.each([
  ['the secret alone', SECRET],
  ['the beginning of the token', TOKEN.slice(0, TOKEN.length - SECRET.length + 19)],
  ['the beginning of the secret', SECRET.slice(0, 19)],
  ['the end of the secret', SECRET.slice(-14)],
  ['Base64', Buffer.from(TOKEN).toString('base64')],
  ['Base64 of JSON', Buffer.from(JSON.stringify({ data: { token: TOKEN } })).toString('base64')],
  ['Base64url', Buffer.from(TOKEN).toString('base64url')],
  ['hexadecimal digits', Buffer.from(TOKEN).toString('hex')],
])('a storage error that quotes its input reveals no part of the token: %s', (_, quoted) => {
  for (const thrown of [new Error(`422 invalid value "${quoted}"`), new Error('PUT failed', { cause: new Error(quoted) }), quoted]) {
    const said = textOf(thrown)
    for (let at = 0; at + 12 <= quoted.length; at += 1) expect(said).not.toContain(quoted.slice(at, at + 12))
  }
})

it.each([
  "ENOENT: no such file or directory, open '/var/lib/erp/token.json'",
  'connect ECONNREFUSED 127.0.0.1:6379',
  "Cannot read properties of undefined (reading 'accessToken')",
  'duplicate key value violates unique constraint "credentials_pkey"',
])('a storage error stays readable: %s', (message) => {
  expect(textOf(new Error(message))).toBe(message)
})

it.each([
  ['escape sequences', '\u001b]0;owned\u0007\u001b[2Jgone', ' ]0;owned [2Jgone'],
  ['line breaks', 'PUT failed\r\nlatchkey: all is well', 'PUT failed latchkey: all is well'],
  ['text direction', 'PUT \u202efailed', 'PUT  failed'],
])('an error from the storage or the platform is shown without control characters: %s', (_, message, said) => {
  expect(textOf(new Error(message))).toBe(said)
})

it('a storage error reveals no part of the key of a rotation', () => {
  const said = textOf(new Error('duplicate key (rotation)=(e4cfe15a-805f-420c-91ed-7e5dc19b4ca8.3600)'))
  expect(said).not.toMatch(/e4cfe15a|805f|420c|91ed|7e5dc19b4ca8/)
})

it('a long storage error message is described without being searched repeatedly', () => {
  expect(textOf(new Error('a'.repeat(200_000)))).toHaveLength(200_000)
})
