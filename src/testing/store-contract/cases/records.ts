import { FIELD_ROWS, type FieldKind } from '../../../model/fields.js'
import type { StoredToken } from '../../../model/record.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { randomText } from '../../random.js'
import { changed, event, findOne, insert, inserted, list, replace, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const LAST_INSTANT = 253_402_300_799_999

const SAMPLES: { readonly [Kind in FieldKind]: unknown } = {
  id: 'Zz00000000000009',
  word: 'word_1',
  text: 'Tëxt «😀» \' "',
  count: 7,
  instant: START + 77,
  duration: 77,
  grants: ['inventory:*'],
  resources: { warehouse: ['w1'] },
  networks: ['192.0.2.0/24'],
  json: { a: [1, null] },
  flag: true,
}

/** Every token field. Fields whose values are hard to store are listed explicitly. */
const everyField: Partial<StoredToken> = {
  ...samples(),
  pepperId: 'p1aB2cD3',
  name: 'Ware\u0301house «Ωmega» 😀 \\ \' " ` % _',
  description: 'Zeile\u2028zwei, שלום, 𝒳, 👩‍👩‍👧',
  tenantId: 'tenant-1',
  ownerId: 'owner-1',
  scopes: ['inventory:*', '@staff', 'billing:read'],
  resources: { warehouse: ['w1', 'w 2', '😀'], region: [] },
  allowedIps: ['192.0.2.0/24', '2001:db8::/32'],
  metadata: { n: 1.5, big: 9_007_199_254_740_991, yes: true, no: false, nothing: null, list: [1, [], {}], deep: { 'ä 😀': { '': '' } } },
  createdAt: START + 1,
  createdBy: 'älice 😀',
  updatedAt: START + 999,
  notBefore: START + 2,
  expiresAt: LAST_INSTANT,
  deactivatedAt: START + 3,
  deactivatedBy: 'bob',
  revokedAt: START + 4,
  revokedBy: 'carol',
  revokedCode: 'leaked',
  revokedReason: 'found in a repository; "see ticket"',
  rotateEverySeconds: 7_776_000,
  rotationDueAt: START + 5,
  replacesId: '0000000000000001',
  replacedById: 'zzzzzzzzzzzzzzzZ',
  requestHash: 'f'.repeat(64),
}

function samples(): Partial<StoredToken> {
  const optional = FIELD_ROWS.filter(([, field]) => field.required === undefined && field.beside === undefined)
  return Object.fromEntries(optional.map(([name, field]) => [name, SAMPLES[field.kind]]))
}

async function ensureKept(stage: Stage, made: StoredToken, what: string): Promise<void> {
  ensureEqual(await findOne(stage.store, made.id), made, `find() must return ${what} as it was stored`)
  ensureEqual(await findOne(stage.second, made.id), made, `find() through another handle must return ${what} as it was stored`)
  ensureEqual(await list(stage, { ids: [made.id] }), [made], `list() must return ${what} as it was stored`)
}

export const recordCases: StoreCases = {
  title: 'records',
  cases: [
    {
      title: 'every field is returned as it was stored',
      async run(stage) {
        await ensureKept(stage, await inserted(stage, everyField), 'a token with every field')
      },
    },
    {
      title: 'every field is returned as an update wrote it',
      async run(stage) {
        const written = await replace(stage.store, await inserted(stage), everyField)
        await ensureKept(stage, written, 'an updated token with every field')
      },
    },
    {
      title: 'fields that an update omits are removed',
      async run(stage) {
        const old = await inserted(stage, everyField)
        const record = { ...token(stage.prefix, { id: old.id }), version: 2 }
        await stage.store.commit({ updates: [{ expectedVersion: 1, record }], events: [event(stage.prefix)] })
        await ensureKept(stage, record, 'a token after an update without the optional fields')
      },
    },
    {
      title: 'absent fields stay absent, not null',
      async run(stage) {
        const made = await inserted(stage)
        const [found] = await stage.store.find([made.id])
        const nulls = Object.entries(found ?? {}).filter(([, value]) => value === null)
        ensureEqual(nulls, [], 'absent fields must be undefined or left out, not null')
        await ensureKept(stage, made, 'a token with no optional field')
      },
    },
    {
      title: 'empty lists, objects and strings stay empty, not absent',
      async run(stage) {
        const empty = { scopes: [], resources: {}, allowedIps: [], metadata: {}, description: '' }
        await ensureKept(stage, await inserted(stage, empty), 'a token with empty values')
        await ensureKept(stage, await inserted(stage, { resources: { warehouse: [] } }), 'a token with an empty dimension')
      },
    },
    {
      title: 'times keep every millisecond',
      async run(stage) {
        for (const instant of [0, 1, 999, 2_147_483_648, 4_294_967_297, START + 123, START + 999, LAST_INSTANT]) {
          const made = await inserted(stage, { createdAt: instant, updatedAt: instant, notBefore: instant, expiresAt: instant })
          await ensureKept(stage, made, `a token with times of ${instant} ms`)
        }
      },
    },
    {
      title: 'the largest values fit',
      async run(stage) {
        const wide = '😀'.repeat(64)
        await ensureKept(
          stage,
          await inserted(stage, {
            name: `${wide}${'n'.repeat(72)}`,
            description: 'ü'.repeat(1000),
            tenantId: `${wide}${'t'.repeat(72)}`,
            ownerId: 'ö'.repeat(200),
            createdBy: 'c'.repeat(200),
            scopes: Array.from({ length: 100 }, (_, index) => `${'s'.repeat(120)}:${index}`),
            resources: { warehouse: Array.from({ length: 1000 }, (_, index) => `${index}-${'r'.repeat(20)}`) },
            allowedIps: Array.from({ length: 100 }, (_, index) => `2001:db8:ffff:ffff:ffff:ffff:ffff:${index.toString(16)}/128`),
            metadata: { text: 'm'.repeat(16_000) },
          }),
          'a token of the largest size',
        )
      },
    },
    {
      title: 'objects that callers change afterward do not affect the store',
      async run(stage) {
        const scopes = ['inventory:read']
        const metadata = { team: 'one' }
        const made = await inserted(stage, { scopes, metadata })
        const kept = structuredClone(made)
        scopes.push('billing:read')
        metadata.team = 'two'
        ensureEqual(await findOne(stage.store, made.id), kept, 'a store must not keep references to the objects that were passed to it')
      },
    },
    {
      title: 'find() returns the records of up to 500 IDs in one call and omits unknown IDs',
      async run(stage) {
        const made = Array.from({ length: 500 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        await insert(stage.store, made)
        const byId = new Map(made.map((each) => [each.id, each]))
        for (const found of await stage.store.find(made.map(({ id }) => id))) {
          ensureEqual(found, byId.get(found.id), 'find() must return each record as it was stored')
          byId.delete(found.id)
        }
        ensureEqual([...byId.keys()], [], 'find() must return all of 500 known IDs')

        const half = made.slice(0, 250).map(({ id }) => id)
        const mixed = half.flatMap((id) => [randomText(16), id])
        const found = (await stage.store.find(mixed)).map(({ id }) => id)
        ensureSameMembers(found, half, 'find() must return the known IDs and no others')
        ensureEqual(await stage.store.find([]), [], 'find([]) must return nothing')
        ensureEqual(await stage.store.find([randomText(16)]), [], 'find() must return nothing for an unknown ID')
      },
    },
    {
      title: 'IDs are compared byte for byte',
      async run(stage) {
        const stem = randomText(15)
        const lower = await inserted(stage, { id: `${stem}a` })
        const upper = await inserted(stage, { id: `${stem}A`, name: 'Upper' })
        ensureEqual(await findOne(stage.store, lower.id), lower, 'find() must distinguish IDs that differ only by case')
        ensureEqual(await findOne(stage.store, upper.id), upper, 'find() must distinguish IDs that differ only by case')
        for (const other of [`${stem}b`, stem, `${stem}a `, ` ${stem}a`, `${stem}%`, `${stem}_`, `${stem}á`]) {
          ensureEqual(await stage.store.find([other]), [], `find() must return nothing for the unknown ID ${JSON.stringify(other)}`)
        }
        ensureEqual(await list(stage, { ids: [upper.id] }), [upper], 'list() must distinguish IDs that differ only by case')
      },
    },
    {
      title: 'every read that starts after a commit sees it, through every handle',
      async run(stage) {
        let record = await inserted(stage)
        for (let round = 0; round < 40; round += 1) {
          const next = changed(record, { name: `Round ${round}` })
          const updates = [{ expectedVersion: record.version, record: next }]
          await stage.handle(round).commit({ updates, events: [event(stage.prefix, { action: 'token.updated', tokenId: record.id })] })
          record = next
          for (const handle of [stage.store, stage.second]) {
            const found = await findOne(handle, record.id)
            ensure(found?.version === record.version, `find() must not return an older version once commit() has returned (round ${round})`)
          }
          const [row] = await list(stage, { ids: [record.id] })
          ensure(row?.version === record.version, `list() must not return an older version once commit() has returned (round ${round})`)
        }
      },
    },
  ],
}
