import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checksum } from '../../src/token/checksum.js'
import { createDigesters } from '../../src/token/digest.js'
import { generateId, mintToken } from '../../src/token/generate.js'
import { portableEngine } from '../../src/token/hash.js'
import { platformRandom } from '../../src/token/random.js'
import vectors from './vectors.json' with { type: 'json' }

const page = readFileSync(new URL('../../docs/token-format.md', import.meta.url), 'utf8')
const [ofAcme = '', ofAny = ''] = Array.from(page.matchAll(/```regex\n(.*)\n```/g), (match) => match[1] ?? '')
const [digester] = createDigesters([])
const mint = (prefix: string): string => mintToken(prefix, generateId(platformRandom), digester, platformRandom).token
const found = (source: string, text: string): string[] => Array.from(text.matchAll(new RegExp(source, 'g')), (match) => match[0])

test('finds the tokens of one prefix, and no others, with the scanner expression for that prefix', () => {
  const tokens = Array.from({ length: 200 }, () => mint('acme_live'))
  expect(found(ofAcme, tokens.map((token) => `key = "${token}";`).join('\n'))).toEqual(tokens)
  expect(found(ofAcme, [mint('acme_test'), mint('acme'), mint('live')].join(' '))).toEqual([])
})

test('finds tokens of any prefix with the scanner expression for all prefixes', () => {
  const prefixes = ['a', 'acme', 'acme_live', 'x9_y8_z7', 'v2', 'acme_2', 'a_b_c_d_e_f_g_h', 'abcdefghijklmnopqrstuvwx']
  const tokens = prefixes.flatMap((prefix) => Array.from({ length: 50 }, () => mint(prefix)))
  expect(found(ofAny, tokens.join(' '))).toEqual(tokens)
  expect(found(ofAny, [...vectors.plain, ...vectors.peppered].map((vector) => vector.token).join('\n'))).toHaveLength(10)
})

test('finds nothing in prose, code, hashes and identifiers with the scanner expressions', () => {
  const texts = [
    page.replaceAll(vectors.plain[0]?.token ?? '', ''),
    readFileSync(new URL('../../src/token/parse.ts', import.meta.url), 'utf8'),
    portableEngine.sha256('x'),
    'sk_live_0123456789abcdef01234567',
    'ghp_0123456789abcdefghijklmnopqrstuvwxyz',
    '550e8400-e29b-41d4-a716-446655440000',
    `acme_live_${'a'.repeat(16)}_${'b'.repeat(48)}`,
    `acme_live_${'a'.repeat(16)}_${'b'.repeat(50)}`,
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl',
  ]
  for (const text of texts) expect([...found(ofAcme, text), ...found(ofAny, text)]).toEqual([])
})

test('finds nothing with the scanner expression for all prefixes in half a million repetitions of a word', () => {
  for (const piece of ['a', 'a_', '_a', 'a1']) expect(found(ofAny, piece.repeat(500_000))).toEqual([])
})

test('the docs page shows a real token, divided into the parts that the diagram shows', () => {
  const shown = /```\n(acme_live_\w+)\n(.*)\n```/.exec(page)
  const token = shown?.[1] ?? ''
  expect(token).toBe(vectors.plain[0]?.token)
  expect(token).toHaveLength('acme_live'.length + 67)
  expect(checksum(digester.digest(token.slice(0, -6)))).toBe(token.slice(-6))
  expect(shown?.[2]).toHaveLength(token.length)
})
