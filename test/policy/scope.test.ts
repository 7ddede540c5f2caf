import { expect, test } from 'vitest'
import { covers, coversGrant, isGrant, isGroupReference, isScopeName, isWildcard } from '../../src/policy/scope.js'
import { fc } from '../support/property.js'

const names = [
  'a',
  'inventory',
  'inventory:read',
  'a:b:c:d',
  'tokens:rotate-self',
  '_',
  '-',
  '0',
  'constructor',
  '__proto__',
  'a'.repeat(128),
]
const wildcards = ['*', 'a:*', 'inventory:stock:*', `${'a'.repeat(126)}:*`]
const groups = ['@a', '@all', '@inventory:read', '@__proto__']
const hostile = [Symbol('a'), { toString: () => 'a' }, new String('a'), ['a'], () => 'a', 1, null, undefined]
const junk = [
  '',
  ':',
  'a:',
  ':a',
  'a::b',
  'A',
  'Inventory:Read',
  'a b',
  'a\n',
  ' a',
  'é',
  'a.b',
  'a/b',
  'a*',
  '**',
  '*:a',
  'a:*:b',
  'a:**',
  '@',
  '@*',
  '@a:*',
  '@@a',
  'ａ',
]

test('a scope name consists of segments of lowercase letters, digits, _ and -', () => {
  expect(names.filter((text) => !isScopeName(text))).toEqual([])
  expect([...wildcards, ...groups, ...junk, ...hostile, 'a'.repeat(129)].filter(isScopeName)).toEqual([])
})

test('a grant is a name, a wildcard or a group', () => {
  expect([...names, ...wildcards, ...groups].filter((text) => !isGrant(text))).toEqual([])
  expect([...junk, ...hostile, `${'a'.repeat(127)}:*`, `@${'a'.repeat(129)}`].filter(isGrant)).toEqual([])
  expect(wildcards.filter((text) => !isWildcard(text))).toEqual([])
  expect(groups.filter((text) => !isGroupReference(text))).toEqual([])
})

test('a huge string is not a grant', () => {
  for (const text of ['a'.repeat(5_000_000), 'a:'.repeat(2_500_000), `${'a:'.repeat(2_500_000)}*`]) expect(isGrant(text)).toBe(false)
})

const segment = fc.constantFrom('a', 'b', 'ab', 'a-b', '0')
const path = fc.array(segment, { minLength: 1, maxLength: 4 })

test('a wildcard covers exactly the scopes with its segments and at least one more', () => {
  fc.assert(
    fc.property(path, path, (above, scope) => {
      const below = scope.length > above.length && above.every((part, at) => scope[at] === part)
      expect(covers(`${above.join(':')}:*`, scope.join(':'))).toBe(below)
      expect(covers(above.join(':'), scope.join(':'))).toBe(above.join(':') === scope.join(':'))
      expect(covers('*', scope.join(':'))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('nothing covers an invalid scope', () => {
  for (const scope of [...junk, ...wildcards, ...groups, ...hostile]) {
    for (const grant of [...names, ...wildcards, ...groups, ...junk]) expect(covers(grant, scope as string)).toBe(false)
  }
})

test('a grant that covers another grant covers everything that the other grant covers', () => {
  const grant = fc.oneof(
    path.map((parts) => parts.join(':')),
    path.map((parts) => `${parts.join(':')}:*`),
    fc.constantFrom('*', '@a', '@b'),
  )
  fc.assert(
    fc.property(grant, grant, path, (outer, inner, parts) => {
      const scope = parts.join(':')
      if (coversGrant(outer, inner) && covers(inner, scope)) expect(covers(outer, scope)).toBe(true)
      expect(coversGrant(outer, outer)).toBe(true)
      if (isScopeName(inner)) expect(coversGrant(outer, inner)).toBe(covers(outer, inner))
    }),
    { numRuns: 3000 },
  )
})

test('a wildcard covers narrower wildcards, but no wider wildcard, no group and not *', () => {
  expect(coversGrant('a:*', 'a:b:*')).toBe(true)
  expect(coversGrant('a:b:*', 'a:*')).toBe(false)
  expect(coversGrant('a:*', 'ab:*')).toBe(false)
  expect(coversGrant('a:*', '*')).toBe(false)
  expect(coversGrant('a:*', '@a')).toBe(false)
  expect(coversGrant('*', '@a')).toBe(true)
  expect(coversGrant('@a', '@b')).toBe(false)
  expect(coversGrant('', '')).toBe(false)
})
