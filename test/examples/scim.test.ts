import { afterEach, expect, it, vi } from 'vitest'
import { type Change, changeOf } from '../../examples/support/scim.js'

afterEach(() => vi.restoreAllMocks())

it('the SCIM example ends the tokens of people who left, based only on the directory', async () => {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)))
  await import('../../examples/scim.js')
  expect(lines).toEqual([
    'will be revoked: Laptop of Ada',
    'ada left, tokens revoked: 1',
    'by Bob: 403, by the directory: 204',
    'Ada: token_revoked, Bob: ok',
  ])
})

const OPS = { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'] }
const SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User'
const URN = `${SCHEMA}:active`
const EXTENSION = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

it.each<[string, string, unknown, Change]>([
  ['a replacement', 'PATCH', { ...OPS, Operations: [{ op: 'replace', path: 'active', value: false }] }, 'leaves'],
  ['text for a boolean', 'PATCH', { ...OPS, Operations: [{ op: 'Replace', path: 'active', value: 'False' }] }, 'leaves'],
  ['no path', 'PATCH', { ...OPS, Operations: [{ op: 'replace', value: { active: false } }] }, 'leaves'],
  ['an addition', 'PATCH', { ...OPS, Operations: [{ op: 'add', path: 'active', value: false }] }, 'leaves'],
  ['the schema in the path', 'PATCH', { ...OPS, Operations: [{ op: 'replace', path: URN, value: false }] }, 'leaves'],
  ['the schema in the value', 'PATCH', { ...OPS, Operations: [{ op: 'replace', value: { [URN]: false } }] }, 'leaves'],
  [
    'one of several operations',
    'PATCH',
    { ...OPS, Operations: [{ op: 'test' }, { op: 'replace', path: 'active', value: false }] },
    'leaves',
  ],
  ['the whole user', 'PUT', { userName: 'ada', active: false }, 'leaves'],
  ['a deletion', 'DELETE', undefined, 'leaves'],
  ['another attribute', 'PATCH', { ...OPS, Operations: [{ op: 'replace', path: 'displayName', value: 'Ada' }] }, 'stays'],
  ['a reactivation', 'PATCH', { ...OPS, Operations: [{ op: 'replace', path: 'active', value: true }] }, 'stays'],
  ['the whole user, active', 'PUT', { userName: 'ada', active: true }, 'stays'],
  ['an unknown operation', 'PATCH', { ...OPS, Operations: [{ op: 'move', path: 'active' }] }, 'unknown'],
  ['a removal of the attribute', 'PATCH', { ...OPS, Operations: [{ op: 'remove', path: 'active' }] }, 'unknown'],
  ['a value other than true or false', 'PATCH', { ...OPS, Operations: [{ op: 'replace', path: 'active', value: 0 }] }, 'unknown'],
  ['operations that are not a list', 'PATCH', { ...OPS, Operations: {} }, 'unknown'],
  ['attributes below their schema', 'PATCH', { ...OPS, Operations: [{ op: 'replace', value: { [SCHEMA]: { active: false } } }] }, 'leaves'],
  ['the whole user below its schema', 'PUT', { userName: 'ada', [SCHEMA]: { active: false } }, 'leaves'],
  ['a filtered attribute', 'PATCH', { ...OPS, Operations: [{ op: 'add', path: 'emails[type eq "work"].value', value: 'a@b' }] }, 'stays'],
  ['an attribute of an extension', 'PATCH', { ...OPS, Operations: [{ op: 'add', path: `${EXTENSION}:department`, value: 'x' }] }, 'stays'],
  ...[SCHEMA, `${SCHEMA}.active`, '', 'active ', '(', 'active.value', 'active[value eq true]'].map(
    (path): [string, string, unknown, Change] => [
      `the path ${JSON.stringify(path)}`,
      'PATCH',
      { ...OPS, Operations: [{ op: 'replace', path, value: { active: false } }] },
      'unknown',
    ],
  ),
  ['broken JSON', 'PATCH', '{"Operations":', 'unknown'],
  ['another method', 'POST', {}, 'unknown'],
])('the SCIM example supports %s by %s, or reports that it does not', async (_what, method, body, change) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const request = new Request('http://localhost/scim/v2/Users/ada', { method, ...(body !== undefined && { body: text }) })
  expect(await changeOf(request)).toBe(change)
})
