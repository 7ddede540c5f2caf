import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { secretsIn } from '../../src/http/secrets-in.js'
import { EVERY_TEXT, withoutTexts } from '../../src/token/redact.js'

const ID = '0123abcd'
const SECRET = '0123456789abcdef0123456789abcde9'
const json = JSON.stringify({ user: 'ada', sid: SECRET })
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const jwt = `eyJhbGciOiJIUzI1NiJ9.${base64url(json)}.${base64url('signature-of-the-token')}`

it.each([
  ['the secret after its key', ['authorization', `Bearer k_${ID}_${SECRET}`]],
  ['the secret after a bar', ['authorization', `Bearer 12|${SECRET}`]],
  ['one part of a signed token', ['authorization', `Bearer eyJhbGciOiJFUzI1NiJ9.${SECRET}.c2ln`]],
  ['the Basic password', ['authorization', `Basic ${btoa(`ada:k_${SECRET}`)}`]],
  ['a signed cookie', ['cookie', `sid=s%3A${SECRET}.c2lnbmF0dXJl`]],
  ['a cookie in percent-encoded JSON', ['cookie', `s=${encodeURIComponent(json)}`]],
  ['a cookie in base64 JSON', ['cookie', `s=${btoa(json)}`]],
  ['the secret of a client, form-encoded within Basic', ['authorization', `Basic ${btoa(`svc:${'%30'}${SECRET.slice(1)}`)}`]],
  [
    'a cookie in base64url JSON',
    ['cookie', `s=${Buffer.from(JSON.stringify({ u: '?>~', sid: SECRET, n: '>>>???' })).toString('base64url')}`],
  ],
  ['a cookie in percent-encoded base64 JSON', ['cookie', `s=${encodeURIComponent(btoa(`${json} `))}`]],
  ['a cookie in base64 JSON with surplus padding', ['cookie', `s=${btoa(json)}==`]],
  ['the claims of a signed token', ['authorization', `Bearer ${jwt}`]],
  ['the claims of a signed token in a cookie of Express', ['cookie', `sid=${encodeURIComponent(`s:${jwt}.c2lnbmF0dXJl`)}`]],
  [
    'a disclosure of an SD-JWT',
    ['authorization', `Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln~${base64url(JSON.stringify(['s', 'sid', SECRET]))}~`],
  ],
  ['the claims of a signed token in a form', ['cookie', `s=${encodeURIComponent(`a=1&token=${jwt}&b=2`)}`]],
  ['the claims of a signed token in base64 JSON', ['cookie', `s=${btoa(JSON.stringify({ user: { token: jwt } }))}`]],
  ['a signed session of Flask', ['cookie', `session=${base64url(json)}.Zx81kQ.c2lnbmF0dXJl`]],
  ['a signed session of Django', ['cookie', `sessionid=${base64url(json)}:1tXyZ9:c2lnbmF0dXJl`]],
  ['a signed cookie of Rails', ['cookie', `_s=${encodeURIComponent(`${btoa(json)}--${'0a'.repeat(20)}`)}`]],
  ['a signed cookie of Rails in base64url', ['cookie', `_s=${base64url(json)}--${'0a'.repeat(20)}`]],
  [
    'a signed cookie of Rails with metadata',
    ['cookie', `_s=${encodeURIComponent(`${btoa(JSON.stringify({ _rails: { message: btoa(json), exp: null } }))}--${'0a'.repeat(20)}`)}`],
  ],
  ['a signed cookie of Tornado', ['cookie', `s="2|1:0|10:1764590000|1:s|${btoa(json).length}:${btoa(json)}|${'0a'.repeat(32)}"`]],
  ['a token of Phoenix', ['cookie', `s=SFMyNTY.${base64url(`\u0083m${json}`)}.c2lnbmF0dXJl`]],
  ['a session after a label and a hyphen', ['cookie', `sb-auth=base64-${base64url(json)}`]],
  ['a session after a label and an underscore', ['cookie', `s=sess_live_${base64url(json)}`]],
  ['a session after an encoded label', ['cookie', `s=${encodeURIComponent(`base64-${btoa(json)}`)}`]],
  ...[0, 1, 2, 3].map(
    (from) =>
      [
        `a continued session from digit ${from}`,
        ['cookie', `s.1=${base64url(JSON.stringify({ a: 'é'.repeat(80), sid: SECRET })).slice(from)}`],
      ] as const,
  ),
  ['a value between other signs', ['cookie', `s=v1!${btoa(json)}!x(${base64url('0123456789')})`]],
] as const)('the credentials of a request include %s', (_what, fields) => {
  expect(secretsIn([...fields], [])).toContain(SECRET)
})

it('the field names and other short words of a structured credential are not credentials', () => {
  const secrets = secretsIn(['cookie', `s=${encodeURIComponent(json)}`], [])
  for (const word of ['user', 'ada', 'sid']) expect(secrets).not.toContain(word)
})

const basic = (pair: string): string[] => ['authorization', `Basic ${Buffer.from(pair).toString('base64')}`]
const clientSecret = 'pw/9xT5+aQ2=zZ8&kk7%Lm3 qq'
it.each<readonly [string, string, readonly string[]]>([
  ['a password that is not ASCII', 'Grüße-an-Köln-für-ömer', basic('ada:Grüße-an-Köln-für-ömer')],
  ['a Cyrillic password', 'правильнаялошадь', basic('ada:правильнаялошадь')],
  ['a password with colons', 'a1:b2:c3:d4', basic('ada:a1:b2:c3:d4')],
  ['the form-encoded secret of a client', clientSecret, basic(`svc:${new URLSearchParams({ v: clientSecret }).toString().slice(2)}`)],
  ['the short ID of a signed cookie', 'Zx81kQ.aa', ['cookie', `sid=${encodeURIComponent('s:Zx81kQ.aa.c2lnbmF0dXJl')}`]],
  ['the short value of a signed cookie', 'Zx81kQaa', ['cookie', `sid=Zx81kQaa.${encodeURIComponent(`${'c2lnbmF0'.repeat(5)}c2k=`)}`]],
  ['invalid percent-encoding', 'a/b%zz', ['cookie', 'sid=a%2Fb%zz']],
])('the credentials of a request include a whole secret in any encoding: %s', (_what, secret, fields) => {
  expect(secretsIn([...fields], [])).toContain(secret)
})

it('an ordinary number of cookies does not cause entire error messages to be hidden', () => {
  const long = { json: JSON.stringify({ claims: SECRET.repeat(90) }), hex: '0123456789abcdef'.repeat(240) }
  const many = Array.from({ length: 40 }, (_, at) => `cookie${at}=${SECRET}${at}`).join('; ')
  for (const cookie of [`s=${btoa(long.json)}`, `s=${encodeURIComponent(long.json)}`, `s=${long.hex}`, many]) {
    expect(secretsIn(['cookie', cookie], [])).not.toBe(EVERY_TEXT)
  }
})

it.each([4_000, 9_000, 15_500])('a cookie of %i random characters in base64url does not hide every error', (length) => {
  for (let turn = 0; turn < 20; turn += 1) {
    const value = randomBytes(length).toString('base64url').slice(0, length)
    const secrets = secretsIn(['cookie', `s=${value}`, 'authorization', `Bearer ${SECRET}`], [])
    expect(secrets).not.toBe(EVERY_TEXT)
    expect(secrets).toContain(SECRET)
    expect(secrets).toContain(value)
  }
})

it('a secret with JSON escapes in a cookie is removed from errors, whether they quote it escaped or unescaped', () => {
  const escaped = String.raw`Gr\u00fc\u00dfe-an-K\u00f6ln`
  const read = JSON.parse(`"${escaped}"`)
  const upper = escaped.replaceAll('fc', 'FC').replaceAll('df', 'DF').replaceAll('f6', 'F6')
  for (const fields of [['cookie', `s=${encodeURIComponent(`{"p":"${escaped}"}`)}`], basic(`ada:${read}`)]) {
    for (const text of [read, escaped, upper])
      expect(withoutTexts(`no user has the password ${text}, ask the team`, secretsIn(fields, []))).toBe(
        'no user has the password …, ask the team',
      )
  }
})

it('entire error messages are hidden if a request has too much text that could be a secret', () => {
  expect(secretsIn(['cookie', `s=${'a%2525:'.repeat(9000)}`], [])).toBe(EVERY_TEXT)
})

it('a cookie of thousands of pieces is not taken apart completely, and nothing of such a request is quoted', () => {
  const pieces = Array.from({ length: 880 }, () => randomBytes(8).toString('hex'))
  const secrets = secretsIn(['cookie', `s=${pieces.join(':')}`], [])
  expect(secrets).toBe(EVERY_TEXT)
  expect(withoutTexts(`the cookie is ${pieces[7]}`, secrets)).not.toContain(pieces[7])
})
