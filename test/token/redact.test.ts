import { inspect } from 'node:util'
import { expect, test, vi } from 'vitest'
import { createDigesters } from '../../src/token/digest.js'
import { generateId, mintToken } from '../../src/token/generate.js'
import { hintOf } from '../../src/token/hint.js'
import { platformRandom } from '../../src/token/random.js'
import { redact, textRemover, withoutTexts, withoutToken } from '../../src/token/redact.js'
import { fc } from '../support/property.js'
import vectors from './vectors.json' with { type: 'json' }

const { prefix, id, secret, token } = vectors.plain[0] ?? { prefix: '', id: '', secret: '', token: '' }
const hint = hintOf(prefix, id)

test('builds the hint of a token from its prefix and four characters of its ID', () => {
  expect(hint).toBe('acme_live_c6w4…')
  expect(hintOf('a', 'vg5EzFsyKALaJdXL')).toBe('a_vg5E…')
})

test('redaction never leaves 12 characters of a secret in a row, whatever part is shown, in any case and any surrounding text', () => {
  const secret = fc.stringMatching(/^[0-9A-Za-z_%+/="-]{12,80}$/)
  const around = fc.stringMatching(/^[ -~]{0,20}$/)
  fc.assert(
    fc.property(secret, around, around, fc.nat(), fc.nat(), fc.boolean(), (text, before, after, from, length, upper) => {
      const start = from % (text.length - 11)
      const piece = text.slice(start, start + 12 + (length % (text.length - 11)))
      const shown = withoutTexts(`${before}${upper ? piece.toUpperCase() : piece}${after}`, [text]).toLowerCase()
      const parts = Array.from({ length: text.length - 11 }, (_, at) => text.slice(at, at + 12).toLowerCase())
      return parts.every((part) => !shown.includes(part))
    }),
  )
})

test('a secret that ends like a token is removed as a whole', () => {
  const secret = `BBQ4hBou8qEMhYBYo_${'F56JGzFFrXRS'.repeat(2).slice(0, 16)}_${'VtQfSsvNZKhk'.repeat(3)}`
  expect(withoutTexts(`cookie ${secret.slice(0, 17)}`, [secret])).toBe('cookie …')
})

test('a whole token is removed with its prefix', () => {
  expect(withoutTexts(`token=${token}&page=2`, [token])).toBe('token=…&page=2')
  expect(withoutTexts(`a ${token}`, [`id=${token}`])).toBe('a …')
})

/** The number of characters that string methods examine. */
function workOf(run: () => void): number {
  let work = 0
  const methods = ['replace', 'replaceAll', 'includes', 'indexOf', 'split', 'matchAll', 'slice'] as const
  const spies = methods.map((name) => {
    const method = String.prototype[name] as (...given: unknown[]) => unknown
    return vi.spyOn(String.prototype, name).mockImplementation(function (this: string, ...given: unknown[]) {
      const found = Reflect.apply(method, this, given)
      work += name === 'slice' ? String(found).length : this.length
      return found as never
    })
  })
  try {
    run()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return work
}

test('the cost of removing secrets grows with the text and the secrets, not with their product', () => {
  const text = 'aaa'.repeat(1300)
  const secrets = Array.from({ length: 1000 }, (_, at) => `aaa"${at.toString(36).padStart(2, '0')}`)
  let shown = ''
  const work = workOf(() => {
    shown = textRemover(secrets)(text)
  })
  expect(shown).toBe(text)
  expect(work).toBeLessThan(40 * (text.length + secrets.join('').length))
})

test('a string is not searched if there is no secret to search for', () => {
  expect(workOf(() => textRemover([])('a text without a secret'.repeat(100)))).toBe(0)
})

test('removes a secret in the forms that it has in a URL, in a query and in a form', () => {
  const secret = "a!b c~d'e(f)/g?h&i"
  const form = new URLSearchParams({ secret }).toString().slice('secret='.length)
  for (const written of [
    secret,
    form,
    form.replaceAll('+', '%20'),
    encodeURI(secret),
    encodeURIComponent(secret),
    JSON.stringify(secret),
  ]) {
    expect([written, withoutTexts(`x=${written}`, [secret])]).toEqual([written, written.startsWith('"') ? 'x="…"' : 'x=…'])
  }
  expect(withoutTexts('a%21b+c', ['a!b c'])).toBe('…')
})

test('a string far longer than any report shows is not searched to its end, and its end is not shown', () => {
  const shown = withoutTexts(`${'word '.repeat(4000)}S3cretS3cretS3cret`, ['S3cretS3cretS3cret'])
  expect(shown.endsWith(' …')).toBe(true)
  expect(shown).not.toContain('S3cret')
})

test('the beginning of a long string without spaces is shown', () => {
  const shown = withoutTexts(`https://x.test/${'a'.repeat(20_000)}`, ['S3cretS3cretS3cret'])
  expect(shown).toMatch(/^https:\/\/x\.test\/a{2000,}…$/)
})

test('replaces a token with its hint', () => {
  for (const vector of [...vectors.plain, ...vectors.peppered]) expect(redact(vector.token)).toBe(hintOf(vector.prefix, vector.id))
})

const around: [string, (token: string) => string][] = [
  ['a header', (text) => `authorization: Bearer ${text}\r\nhost: x`],
  ['a query', (text) => `/stock?access_token=${text}&page=2`],
  ['JSON', (text) => JSON.stringify({ token: text, more: [text] })],
  ['JSON in JSON', (text) => JSON.stringify(JSON.stringify({ token: text }))],
  ['an encoded URL', (text) => `https://x/?next=${encodeURIComponent(`/login?token=${text}&a=b`)}`],
  ['an encoded quote', (text) => `%22${text}%22`],
  ['an inspected error', (text) => inspect(new Error(`bad token "${text}"`), { depth: null })],
  ['lowercase words', (text) => `the_token_is_${text}`],
  ['letters right before it', (text) => `Token${text}`],
  ['letters right after it', (text) => `${text}n`],
  ['two in a row', (text) => `${text}${text}`],
  ['two with an underscore', (text) => `${text}_${text}`],
  ['lines', (text) => `${text}\n${text}\n`],
]
test.each(around)('redacts a token in text (%s)', (_name, write) => {
  const shown = redact(write(token))
  expect(shown).toContain('_c6w4…')
  for (let at = 0; at + 8 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 8))
})

test('keeps the text around a token', () => {
  expect(redact(`a ${token}, b "${token}"`)).toBe(`a ${hint}, b "${hint}"`)
})

test('shows fewer than twenty characters of the secret of a token that a log line cut short', () => {
  for (let length = token.length; length >= 0; length--) {
    const shown = redact(token.slice(0, length))
    expect(shown.includes(secret.slice(0, 20))).toBe(false)
  }
})

test('redacts a token even if its underscores were encoded', () => {
  for (const underscore of ['%5F', '%5f', '%255F', '%2525255f', '\\u005f', '\\\\u005F', '&#95;', '&#x5f;', '&#X5F;'])
    expect(redact(token.replaceAll('_', underscore))).not.toContain(secret.slice(0, 12))
})

const ticket = `latchkey.ticket.${secret}123456`

test.each(around)('redacts a ticket in text (%s)', (_name, write) => {
  const shown = redact(write(ticket))
  expect(shown).toContain('latchkey.ticket.…')
  for (let at = 0; at + 8 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 8))
})

test('redacts a ticket in any case, cut short, or with encoded dots, and never twice', () => {
  for (const written of [ticket.toUpperCase(), ticket.slice(0, 36), ticket.replaceAll('.', '%2E'), ticket.replaceAll('.', '%2e')]) {
    expect(redact(written)).toMatch(/ticket(?:\.|%2e)…$/i)
  }
  expect(redact(redact(ticket))).toBe('latchkey.ticket.…')
  for (const text of [token + ticket, ticket + token, `${ticket}_${token}`, ticket + ticket])
    expect(redact(text)).not.toMatch(/[0-9A-Z]{12}/i)
})

test('leaves text without a token unchanged', () => {
  for (const text of [
    '',
    hint,
    'latchkey.ticket.',
    'latchkey.ticket.expired',
    id,
    'inventory_stock_read',
    'a_very_long_snake_case_name_that_goes_on_and_on_without_being_a_token',
    '550e8400-e29b-41d4-a716-446655440000',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'aaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbb_cccc',
  ]) {
    expect(redact(text)).toBe(text)
  }
})

test('leaves no token of any prefix in any text', () => {
  const [digester] = createDigesters([])
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a', 'acme_live', 'x9_y8_z7'),
      (before, after, name) => {
        const made = mintToken(name, generateId(platformRandom), digester, platformRandom).token
        expect(redact(before + made + after)).not.toContain(made.slice(-45, -25))
      },
    ),
    { numRuns: 500 },
  )
})

test('redacts hostile text in time linear in its length', () => {
  const size = 2_000_000
  const texts = [
    '_',
    'a',
    '_a',
    `_${'a'.repeat(16)}`,
    `_${'a'.repeat(16)}_${'b'.repeat(19)}`,
    '%5F',
    '%25',
    '\\',
    '&#95;',
    'latchkey.ticket.',
    'latchkey.',
  ].map((piece) => piece.repeat(size / piece.length))
  // A quadratic search would take hours, so the runner's time limit would fail the test.
  for (const text of texts) expect(redact(text).length).toBeLessThanOrEqual(text.length)
})

test('removes every part of 12 characters of a secret, and leaves shorter parts and other text', () => {
  const key = 'Ab3dE5fG7hJ9kLmN2pQr'
  for (let from = 0; from < key.length; from++) {
    for (let to = from + 1; to <= key.length; to++) {
      const part = key.slice(from, to)
      for (const shown of [part, part.toUpperCase(), part.toLowerCase()]) {
        expect(withoutTexts(`no key İ ${shown}, sorry`, [key])).toBe(`no key İ ${to - from < 12 ? shown : '…'}, sorry`)
      }
    }
  }
  expect(withoutTexts(`the token ${hint} with the ID ${id}`, [token])).toBe(`the token ${hint} with the ID ${id}`)
})

test('the beginning of a token at the end of the text that is searched is not shown', () => {
  const quoted = `${'x'.repeat(10)}${`"${token}"`.repeat(60)}`
  for (let shift = 0; shift < token.length + 2; shift += 1) {
    const shown = redact(withoutTexts('x'.repeat(shift) + quoted, ['some other secret']))
    for (let at = 0; at + 12 <= secret.length; at += 1) expect(shown).not.toContain(secret.slice(at, at + 12))
  }
})

test.each([
  ['a short token', 'k7xQz9Lm2Pw', 'https://paste.test/?key=k7xQz9Lm2Pw'],
  ['a token with quotes, in JSON', 'k"7x"Qz9Lm2Pw', String.raw`{"key":"k\"7x\"Qz9Lm2Pw"}`],
  ['a token with spaces, in a form', 'k7xQ z9Lm 2Pw', 'https://paste.test/?key=k7xQ+z9Lm+2Pw'],
  ['a token in percent-encoded UTF-8', 'k7xQüz9Lmü2Pw', 'https://paste.test/?key=k7xQ%C3%BCz9Lm%C3%BC2Pw'],
  ['a token in UTF-8 that is percent-encoded twice', 'k7xQüz9Lmü2Pw', 'https://paste.test/?key=k7xQ%25C3%25BCz9Lm%25C3%25BC2Pw'],
])('a known token is removed from text about it: %s', (_, known, text) => {
  const shown = withoutToken(text, known)
  expect(shown).toContain('…')
  for (const part of ['7xQ', 'z9Lm', '2Pw']) expect(shown).not.toContain(part)
})
