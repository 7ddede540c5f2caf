import type { ListQuery } from '../../../store/port.js'
import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { bulkEvent, bulkStamp, event, findOne, insert, inserted, list, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

/** Names that a careless store could confuse with each other or with its own keywords. */
const NAMES = [
  ...['a', 'A', 'a ', ' a', 'a  ', 'á', 'a\u0301', 'aa', 'ａ', 'a:b', 'a', 'a/b', 'a|b', 'a,b', 'a.b', 'a b', 'a%b', 'a\\b', 'ab'],
  ...['%', '_', '*', '?', '\\', "'", '"', '[', '{a}', '{', '}', '$1', '0', '00', 'null', 'undefined', 'true', 'NaN', '-1', '1e0'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'ß', 'ss', 'SS', 'ı', 'i', 'I', 'İ', '😀', '😁', 'æ', 'ae'],
].filter((name, index, all) => all.indexOf(name) === index)

type Field = 'tenantId' | 'ownerId' | 'createdBy'

function only(field: Field, name: string): Partial<ListQuery> {
  return field === 'tenantId' ? { tenantIds: [name] } : { [field]: name }
}

async function ensureApart(stage: Stage, field: Field): Promise<void> {
  const made = NAMES.map((name) => token(stage.prefix, { [field]: name }))
  await insert(stage.store, made)
  for (const [index, name] of NAMES.entries()) {
    const rows = await list(stage, only(field, name))
    ensureEqual(rows, [made[index]], `list() by ${field} ${JSON.stringify(name)} must return only its own token`)
  }
  for (const [index, name] of NAMES.entries()) {
    if (index % 5 !== 0) continue
    const filter = { prefix: stage.prefix, ...only(field, name) }
    const stamp = bulkStamp()
    const { count } = await stage.store.revokeWhere(filter, stamp, bulkEvent(stage.prefix, stamp))
    ensureEqual(count, 1, `revokeWhere() by ${field} ${JSON.stringify(name)} must revoke only its own token`)
  }
  const revoked = (await list(stage, { statuses: ['revoked'] })).map(({ id }) => id)
  const expected = made.filter((_, index) => index % 5 === 0).map(({ id }) => id)
  ensureSameMembers(revoked, expected, `revokeWhere() must not revoke tokens with a similar ${field}`)
}

export const separationCases: StoreCases = {
  title: 'separation',
  cases: [
    { title: 'tenants are compared byte for byte, regardless of their names', run: (stage) => ensureApart(stage, 'tenantId') },
    { title: 'owners are compared byte for byte', run: (stage) => ensureApart(stage, 'ownerId') },
    { title: 'creators are compared byte for byte', run: (stage) => ensureApart(stage, 'createdBy') },
    {
      title: 'the tenants, actors and tokens of events are compared byte for byte',
      async run(stage) {
        const events = NAMES.map((name) => event(stage.prefix, { tenantId: name, createdBy: name, tokenId: name }))
        await stage.store.commit({ events })
        for (const [index, name] of NAMES.entries()) {
          for (const query of [{ tenantIds: [name] }, { createdBy: name }, { tokenId: name }]) {
            const found = (await stage.store.events({ prefix: stage.prefix, limit: 100, ...query })).map(({ id }) => id)
            ensureEqual(found, [events[index]?.id], `events() must return only the event that matches ${JSON.stringify(query)} exactly`)
          }
        }
      },
    },
    {
      title: "prefixes that share a store do not see each other's data",
      async run(stage) {
        const other = `${stage.prefix}_x`
        const mine = await inserted(stage, { tenantId: 'a', ownerId: 'o' })
        const theirs = token(other, { tenantId: 'a', ownerId: 'o' })
        await insert(stage.store, [theirs])
        for (const query of [
          {},
          { tenantIds: ['a'] },
          { ownerId: 'o' },
          { createdBy: 'alice' },
          { nameContains: 'ware' },
          { ids: [mine.id, theirs.id] },
        ]) {
          const what = `list() filtered by ${JSON.stringify(Object.keys(query))} must return only tokens of its prefix`
          ensureEqual(await list(stage, query), [mine], what)
          ensureEqual(await list(stage, { ...query, prefix: other }), [theirs], what)
        }
        const told = await stage.store.events({ prefix: other, limit: 10 })
        ensureEqual(
          told.map(({ tokenId }) => tokenId),
          [theirs.id],
          'events() must return only events of its prefix',
        )
        const byTenant = { prefix: stage.prefix, tenantIds: ['a'], ids: [mine.id, theirs.id] }
        const stamp = bulkStamp()
        const { count } = await stage.store.revokeWhere(byTenant, stamp, bulkEvent(stage.prefix, stamp))
        ensureEqual(count, 1, 'revokeWhere() must revoke only tokens of its prefix')
        ensureEqual(await findOne(stage.store, theirs.id), theirs, 'revokeWhere() must not change a token of another prefix')
      },
    },
  ],
}
