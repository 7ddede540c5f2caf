import { expect, it } from 'vitest'
import { unknownName } from '../../src/policy/read-input.js'

const FIELDS = ['name', 'scopes', 'expiresAt', 'expiresIn', 'notBefore', 'rotateEvery']

it.each(['expires', 'expire', 'expiry', 'expiration', 'exp'])(
  'suggests both expiry fields for an unknown name that can mean either: %s',
  (key) => {
    expect(unknownName(key, FIELDS)).toBe('unknown field; did you mean "expiresIn" or "expiresAt"?')
  },
)

it.each([
  ['ttl', 'expiresIn'],
  ['expires_in', 'expiresIn'],
  ['expiryDate', 'expiresAt'],
  ['validUntil', 'expiresAt'],
])('suggests the only expiry field that a name can mean: %s', (key, meant) => {
  expect(unknownName(key, FIELDS)).toBe(`unknown field; did you mean "${meant}"?`)
})

it.each([
  ['expiresInDays', 'expiresIn'],
  ['rotate_every_hours', 'rotateEvery'],
  ['ttlMinutes', 'expiresIn'],
])('explains that the unit of a duration belongs in the value, because a bare number would be seconds: %s', (key, meant) => {
  expect(unknownName(key, FIELDS)).toBe(`unknown field; did you mean "${meant}", with the unit in the value, as in "90d"?`)
})

it('the error for an unknown field names every field that starts with the given name', () => {
  expect(unknownName('created', ['createdBefore', 'createdAfter', 'createdBy'])).toBe(
    'unknown field; did you mean "createdBefore", "createdAfter" or "createdBy"?',
  )
})

it('the error for an unknown field explains that optional is the opposite of required', () => {
  expect(unknownName('required', ['optional', 'realm'])).toBe('unknown field; did you mean "optional", which is the opposite?')
})

it('the error for an unknown field lists the valid names if the given name resembles none of them', () => {
  expect(unknownName('color', FIELDS)).toBe('unknown field; use one of name, scopes, expiresAt, expiresIn, notBefore, rotateEvery')
  expect(unknownName('color', ['url'])).toBe('unknown field; use url')
  expect(unknownName('color', [])).toBe('unknown field')
})

it("suggests the option that contains the named option, and latchkey's names for similar options of other libraries", () => {
  expect(unknownName('maxStaleness', ['prefix', 'store', 'cache'])).toBe('unknown field; did you mean "cache"?')
  expect(unknownName('maximum', ['default', 'max', 'required'])).toBe('unknown field; did you mean "max"?')
  expect(unknownName('events', ['id', 'url', 'actions'])).toBe('unknown field; did you mean "actions"?')
  expect(unknownName('key', ['endpoints', 'webhookKey'])).toBe('unknown field; did you mean "webhookKey"?')
})
