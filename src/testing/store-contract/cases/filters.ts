import type { StoredToken, TokenStatus } from '../../../model/record.js'
import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { randomText } from '../../random.js'
import { batch, insert, inserted, list, listNames, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const STATUSES: readonly TokenStatus[] = ['pending', 'active', 'inactive', 'expired', 'revoked']

async function insertNamed(stage: Stage, byName: { readonly [name: string]: Partial<StoredToken> }): Promise<Map<string, StoredToken>> {
  const made = Object.entries(byName).map(([name, fields]) => token(stage.prefix, { name, ...fields }))
  await insert(stage.store, made)
  return new Map(made.map((each) => [each.name, each]))
}

/** Checks which tokens have each status at `now`, and that every token has exactly one. */
async function ensureStatuses(
  stage: Stage,
  now: number,
  expected: { readonly [status in TokenStatus]?: readonly string[] },
): Promise<void> {
  for (const status of STATUSES) {
    const names = await listNames(stage, { statuses: [status], now })
    ensureSameMembers(names, expected[status] ?? [], `list() must return exactly the tokens that are ${status} after ${now - START} ms`)
  }
}

export const filterCases: StoreCases = {
  title: 'list filters',
  cases: [
    {
      title: 'status changes at the exact millisecond',
      async run(stage) {
        await insertNamed(stage, {
          later: { notBefore: START + 10 },
          ends: { expiresAt: START + 10 },
          window: { notBefore: START + 10, expiresAt: START + 20 },
          always: {},
        })
        await ensureStatuses(stage, START + 9, { pending: ['later', 'window'], active: ['ends', 'always'] })
        await ensureStatuses(stage, START + 10, { active: ['later', 'window', 'always'], expired: ['ends'] })
        await ensureStatuses(stage, START + 19, { active: ['later', 'window', 'always'], expired: ['ends'] })
        await ensureStatuses(stage, START + 20, { active: ['later', 'always'], expired: ['window', 'ends'] })
      },
    },
    {
      title: 'status is the first of revoked, inactive, pending, expired and active that applies',
      async run(stage) {
        const past = { expiresAt: START - 1 }
        const future = { notBefore: START + 1 }
        const off = { deactivatedAt: START - 5, deactivatedBy: 'bob' }
        const ended = { revokedAt: START - 5, revokedBy: 'bob' }
        await insertNamed(stage, {
          'revoked first': { ...ended, ...off, ...future, ...past },
          // Revocation and deactivation are facts, not schedules. They apply even if the clock that wrote them was ahead.
          'revoked ahead': { revokedAt: START + 5000, revokedBy: 'bob' },
          'inactive next': { ...off, ...future, ...past },
          'pending next': { ...future, ...past },
          'expired next': past,
          'active last': {},
        })
        await ensureStatuses(stage, START, {
          revoked: ['revoked first', 'revoked ahead'],
          inactive: ['inactive next'],
          pending: ['pending next'],
          expired: ['expired next'],
          active: ['active last'],
        })
        ensureSameMembers(
          await listNames(stage, { statuses: ['pending', 'active'] }),
          ['pending next', 'active last'],
          'list() must return tokens with any of the given statuses',
        )
        ensureEqual((await listNames(stage, { statuses: STATUSES })).length, 6, 'list() with all statuses must return every token')
        ensureEqual(await listNames(stage, { statuses: [] }), [], 'an empty list of statuses must match nothing')
      },
    },
    {
      title: 'tenant, owner, creator and IDs each narrow the list, and an empty list matches nothing',
      async run(stage) {
        const byName = await insertNamed(stage, {
          one: { tenantId: 'a', ownerId: 'o', createdBy: 'bob' },
          two: { tenantId: 'b', ownerId: 'o' },
          three: { tenantId: 'c', ownerId: 'p', createdBy: 'bob' },
          none: {},
        })
        const idOf = (name: string): string => byName.get(name)?.id ?? ''
        ensureSameMembers(
          await listNames(stage, { tenantIds: ['a', 'c', 'zz'] }),
          ['one', 'three'],
          'tenantIds must match the tokens of every given tenant',
        )
        ensureEqual(await listNames(stage, { tenantIds: [] }), [], 'an empty list of tenants must match nothing')
        ensureSameMembers(await listNames(stage, { ownerId: 'o' }), ['one', 'two'], 'ownerId must match exactly the tokens of the owner')
        ensureSameMembers(
          await listNames(stage, { createdBy: 'bob' }),
          ['one', 'three'],
          'createdBy must match exactly the tokens of the creator',
        )
        ensureSameMembers(
          await listNames(stage, { ids: [idOf('two'), randomText(16), idOf('none')] }),
          ['two', 'none'],
          'IDs must match exactly the given tokens that exist',
        )
        ensureEqual(await listNames(stage, { ids: [] }), [], 'an empty list of IDs must match nothing')
        ensureEqual(
          await listNames(stage, { tenantIds: ['a', 'b', 'c'], ownerId: 'o', createdBy: 'bob' }),
          ['one'],
          'list() must return only tokens that match all given fields',
        )
        ensureSameMembers(
          await listNames(stage),
          ['one', 'two', 'three', 'none'],
          'list() without a filter must return every token of the prefix',
        )
      },
    },
    {
      title: 'expiresBefore and neverExpires select tokens by their expiry',
      async run(stage) {
        await insertNamed(stage, {
          soon: { expiresAt: START + 10 },
          later: { expiresAt: START + 11 },
          past: { expiresAt: START - 1 },
          never: {},
        })
        ensureSameMembers(await listNames(stage, { expiresBefore: START + 11 }), ['soon', 'past'], 'expiresBefore must be exclusive')
        ensureSameMembers(
          await listNames(stage, { expiresBefore: START + 12 }),
          ['soon', 'later', 'past'],
          'expiresBefore must match every token that expires before it',
        )
        const between = { expiresFrom: START + 10, expiresBefore: START + 11 }
        ensureEqual(await listNames(stage, between), ['soon'], 'expiresFrom must be inclusive and expiresBefore exclusive')
        ensureEqual(await listNames(stage, { ...between, statuses: ['expired'] }), [], 'expiresFrom and the status must both match')
        const expired = { expiresFrom: START - 1, expiresBefore: START + 1, statuses: ['expired'] } as const
        ensureEqual(await listNames(stage, expired), ['past'], 'expiresFrom and the status must both match')
        ensureSameMembers(
          await listNames(stage, { expiresFrom: START + 10 }),
          ['soon', 'later'],
          'expiresFrom must match tokens that expire then or later',
        )
        ensureEqual(await listNames(stage, { neverExpires: true }), ['never'], 'neverExpires must match tokens without an expiry')
        const upcoming = await listNames(stage, { expiresBefore: START + 12, statuses: ['active'] })
        ensureSameMembers(upcoming, ['soon', 'later'], 'expiresBefore and the status must both match')
      },
    },
    {
      title: 'notReplaced excludes tokens that have a successor',
      async run(stage) {
        await insertNamed(stage, { old: { replacedById: randomText(16), expiresAt: START + 9 }, new: { expiresAt: START + 9 } })
        for (const query of [{}, { expiresBefore: START + 10 }, { neverUsed: true, statuses: ['active'] }] as const)
          ensureEqual(await listNames(stage, { ...query, notReplaced: true }), ['new'], 'notReplaced must match no replaced token')
      },
    },
    {
      title: 'rotationDue returns tokens that are due and can still be rotated',
      async run(stage) {
        const due = { rotateEverySeconds: 60, rotationDueAt: START }
        await insertNamed(stage, {
          due,
          'due and inactive': { ...due, deactivatedAt: START - 1, deactivatedBy: 'bob' },
          'a millisecond away': { ...due, rotationDueAt: START + 1 },
          'expires now': { ...due, expiresAt: START },
          'expires next': { ...due, expiresAt: START + 1 },
          revoked: { ...due, revokedAt: START - 1, revokedBy: 'bob' },
          replaced: { ...due, replacedById: randomText(16) },
          unscheduled: {},
        })
        const names = await listNames(stage, { rotationDue: true })
        ensureSameMembers(names, ['due', 'due and inactive', 'expires next'], 'rotationDue must match only tokens due for rotation')
        await insertNamed(stage, { 'long overdue': { ...due, rotationDueAt: START - 1 } })
        const from = await listNames(stage, { rotationDue: true, rotationDueFrom: START })
        ensureSameMembers(from, ['due', 'due and inactive', 'expires next'], 'rotationDueFrom must not match tokens that were due earlier')
        ensureEqual(
          (await listNames(stage, { rotationDue: true, rotationDueFrom: START - 1 })).length,
          4,
          'rotationDueFrom must be inclusive',
        )
      },
    },
    {
      title: 'imported selects tokens by whether they were imported',
      async run(stage) {
        const old = { importedFrom: 'bcrypt', importedHash: '$2b$10$abcdefghijklmnopqrstuv' }
        const byName = await insertNamed(stage, { made: {}, first: { ...old, ownerId: 'o' }, second: old })
        ensureSameMembers(await listNames(stage, { imported: true }), ['first', 'second'], 'imported must match only imported tokens')
        ensureSameMembers(await listNames(stage, { imported: true, ownerId: 'o' }), ['first'], 'imported and ownerId must both match')
        const { importedHash: _, ...rest } = byName.get('second') ?? token(stage.prefix)
        await stage.store.commit({ updates: [{ expectedVersion: 1, record: { ...rest, version: 2 } }], events: [] })
        const rows = await list(stage, { imported: true })
        ensureSameMembers(
          rows.map(({ name, importedHash }) => `${name} ${importedHash}`),
          [`first ${old.importedHash}`, 'second undefined'],
          'a token must stay imported after its importedHash was removed',
        )
      },
    },
    {
      title: 'neverUsed and unusedSince filter by the last use, and the list returns it',
      async run(stage) {
        const byName = await insertNamed(stage, { never: {}, early: {}, late: {} })
        const [early, late] = ['early', 'late'].map((name) => byName.get(name)?.id ?? '')
        await stage.store.recordUsage(
          batch({
            lastUses: [
              { tokenId: early ?? '', at: START + 10, ip: '192.0.2.7' },
              { tokenId: late ?? '', at: START + 20 },
            ],
          }),
        )
        ensureEqual(await listNames(stage, { neverUsed: true }), ['never'], 'neverUsed must match exactly the tokens that were never used')
        ensureSameMembers(await listNames(stage, { unusedSince: START + 10 }), ['never'], 'unusedSince must be exclusive')
        ensureSameMembers(
          await listNames(stage, { unusedSince: START + 11 }),
          ['never', 'early'],
          'unusedSince must match tokens that were never used or last used before that time',
        )
        ensureSameMembers(
          await listNames(stage, { unusedSince: START + 21 }),
          ['never', 'early', 'late'],
          'unusedSince must match tokens that were never used or last used before that time',
        )
        const uses = (await list(stage)).map(({ name, lastUsedAt, lastUsedIp }) => [name, lastUsedAt, lastUsedIp]).sort()
        const expected = [
          ['early', START + 10, '192.0.2.7'],
          ['late', START + 20, undefined],
          ['never', undefined, undefined],
        ]
        ensureEqual(uses, expected, 'list() must return the last use')
        ensureEqual((await stage.store.find([early ?? '']))[0]?.version, 1, 'recordUsage() must not change the token')
      },
    },
    {
      title: 'a list has at most as many rows as its limit, for limits from 1 to 1001',
      async run(stage) {
        const made = Array.from({ length: 1002 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        await insert(stage.store, made)
        for (const limit of [1, 2, 1001]) {
          const newest = made.slice(-limit).reverse()
          ensureEqual(
            (await list(stage, { limit })).map(({ id }) => id),
            newest.map(({ id }) => id),
            `list() with the limit ${limit} must return the newest ${limit} tokens`,
          )
        }
      },
    },
    {
      title: 'the start of an ID is compared byte for byte',
      async run(stage) {
        const ends = ['aB0zzzzzzzzzz', 'aB0zZzzzzzzzz', 'ab0zzzzzzzzzz', 'aB1zzzzzzzzzz', 'zzzzzzzzzzzzz'].map((end) => `Qx${end}`)
        const made = ends.map((end, index) => token(stage.prefix, { id: end.padEnd(16, String(index)), name: `${index}` }))
        await insert(stage.store, made)
        const found: readonly [string, readonly string[]][] = [
          ['Qx', ['0', '1', '2', '3', '4']],
          ['QxaB', ['0', '1', '3']],
          ['QxaB0zz', ['0']],
          ['QxaB0zZ', ['1']],
          ['Qxz', ['4']],
          [made[2]?.id ?? '', ['2']],
          ['xaB', []],
          ['qx', []],
        ]
        for (const [idStartsWith, names] of found) {
          ensureSameMembers(
            await listNames(stage, { idStartsWith }),
            names,
            `list() must return exactly the IDs that start with ${idStartsWith}`,
          )
        }
        ensureEqual(
          await listNames(stage, { idStartsWith: 'QxaB', nameContains: '3' }),
          ['3'],
          'idStartsWith and nameContains must both match',
        )
      },
    },
    {
      title: 'filters reflect an update immediately',
      async run(stage) {
        const old = await inserted(stage, { ownerId: 'o', name: 'Before', rotationDueAt: START })
        const { rotationDueAt: _, ...rest } = old
        const record = { ...rest, version: 2, name: 'After', ownerId: 'p', tenantId: 'a', expiresAt: START - 1 }
        await stage.store.commit({ updates: [{ expectedVersion: 1, record }], events: [] })
        for (const gone of [
          { ownerId: 'o' },
          { nameContains: 'before' },
          { rotationDue: true },
          { neverExpires: true },
          { statuses: ['active'] },
        ] as const) {
          ensureEqual(await listNames(stage, gone), [], `after an update, a token must no longer match ${JSON.stringify(gone)}`)
        }
        for (const now of [{ ownerId: 'p' }, { nameContains: 'after' }, { tenantIds: ['a'] }, { statuses: ['expired'] }] as const) {
          ensureEqual(await listNames(stage, now), ['After'], `after an update, the token must match ${JSON.stringify(now)}`)
        }
      },
    },
  ],
}
