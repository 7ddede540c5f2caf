import { expect, it } from 'vitest'
import { secretsIn } from '../../src/http/request.js'

const ID = '0123abcd'
const SECRET = '0123456789abcdef0123456789abcde9'
const json = JSON.stringify({ user: 'ada', sid: SECRET })

it.each([
  ['the secret after its key', ['authorization', `Bearer k_${ID}_${SECRET}`]],
  ['the secret after a bar', ['authorization', `Bearer 12|${SECRET}`]],
  ['one part of a signed token', ['authorization', `Bearer eyJhbGciOiJFUzI1NiJ9.${SECRET}.c2ln`]],
  ['the password of Basic', ['authorization', `Basic ${btoa(`ada:k_${SECRET}`)}`]],
  ['a signed cookie', ['cookie', `sid=s%3A${SECRET}.c2lnbmF0dXJl`]],
  ['a cookie in percent-encoded JSON', ['cookie', `s=${encodeURIComponent(json)}`]],
  ['a cookie in base64 JSON', ['cookie', `s=${btoa(json)}`]],
] as const)('the credentials of a request include %s', (_what, fields) => {
  expect(secretsIn([...fields], [])).toContain(SECRET)
})

it('the field names and other short words of a structured credential are not credentials', () => {
  const secrets = secretsIn(['cookie', `s=${encodeURIComponent(json)}`], [])
  for (const word of ['user', 'ada', 'sid']) expect(secrets).not.toContain(word)
})
