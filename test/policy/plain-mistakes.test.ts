import { latchkey } from 'latchkey'
import { dashboard } from 'latchkey/dashboard'
import { requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { testLatchkey } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'

const scopes = { 'inventory:read': 'See stock' }
const options = { prefix: 'acme_live', store: memoryStore(), scopes }
const tokens = latchkey(options)
const UNKNOWN = '0123456789abcdef'

describe('the message for a common mistake', () => {
  it.each<readonly [string, () => unknown, string]>([
    [
      'an option that is not an object shows its fields',
      () => latchkey({ ...options, expiry: '90d' as never }),
      'expiry: must be an object: { default, max, required, unused }',
    ],
    [
      'an empty pepper says where to look',
      () => latchkey({ ...options, pepper: '' }),
      'pepper: is empty: check where it comes from, such as an environment variable that is not set',
    ],
    [
      'a required scope with capitals quotes the scope',
      () => requireScopes('Inventory:Read'),
      'scopes.0: must be the plain name of a scope, such as inventory:read, not "Inventory:Read"',
    ],
    [
      'a required scope that is undefined says so',
      () => Reflect.apply(requireScopes, undefined, [undefined]),
      'such as inventory:read, not undefined',
    ],
    [
      'an instance passed to testLatchkey() says how to use its scopes',
      () => testLatchkey(tokens as never),
      'testLatchkey(): takes options, not an instance: testLatchkey({ scopes: tokens.catalogue })',
    ],
    [
      'a language without texts says which languages the page has',
      () => dashboard({ language: 'fr' }),
      'language: the page has no texts in "fr": pass them as texts, or use en, de or ar',
    ],
    [
      'a SQLite path that is undefined says so',
      () => sqliteStore(process.env.PATH_THAT_NOBODY_SET as never),
      "options: must be the path of a file, or an object: sqliteStore('tokens.db'), not undefined: check where it comes from",
    ],
  ])('the error for %s', (_name, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(message) }))
  })

  it.each<readonly [string, () => Promise<unknown>, string]>([
    [
      'a lone overlap shows the fields of rotate()',
      () => tokens.system.rotate(UNKNOWN, '1h' as never),
      'rotate(): must be an object: { overlap, ownerId, idempotencyKey }, not "1h"',
    ],
    [
      'a lone reason shows the fields of revoke()',
      () => tokens.system.revoke(UNKNOWN, 'left' as never),
      'revoke(): must be an object: { reason, waitForNodes }, not "left"',
    ],
    [
      'a lone ID shows the fields of events()',
      () => tokens.system.events(UNKNOWN as never),
      `events(): must be an object: { tokenId, tenantId, actorId, from, to, … }, not "${UNKNOWN}"`,
    ],
    ['a lone tenant shows the fields of list()', () => tokens.system.list('acme' as never), 'list(): must be an object: { '],
    [
      'the first segment of scopes suggests their wildcard',
      () => tokens.system.create({ name: 'ERP', scopes: ['inventory' as never] }),
      '"inventory" is not in the catalogue; did you mean "inventory:*"?',
    ],
    [
      'an id in create() suggests no field that begins with the same two letters',
      () => tokens.system.create({ name: 'ERP', scopes: [], id: 'x' } as never),
      'id: unknown field; use one of name, ',
    ],
    [
      'an ID from a numeric column says that it was a number',
      () => tokens.system.create({ name: 'ERP', scopes: [], ownerId: 7 as never }),
      'ownerId: must be a string, not a number',
    ],
    [
      'a change of the owner names the call that makes it',
      () => tokens.system.update(UNKNOWN, { ownerId: 'bob' } as never),
      'ownerId: cannot be changed: rotate the token with the new ownerId',
    ],
    [
      'a change of the tenant says what to do instead',
      () => tokens.system.update(UNKNOWN, { tenantId: 'bolt' } as never),
      'tenantId: cannot be changed: create a token in the other tenant',
    ],
    [
      'an ID from an empty column says that it was null',
      () => tokens.system.create({ name: 'ERP', scopes: [], tenantId: null as never }),
      'tenantId: must be a string, not null',
    ],
  ])('the error for %s', async (_name, call, message) => {
    await expect(call()).rejects.toThrow(message)
  })
})
