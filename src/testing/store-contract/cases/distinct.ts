import type { DistinctQuery, TokenStore } from '../../../store/port.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { insert, replace, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

/** Names that a careless store could confuse with each other or with its own keywords. */
const NAMES = [
  'a',
  'A',
  'a ',
  ' a',
  'á',
  'a\u0301',
  'ａ',
  'aa',
  'a-b',
  'a"b',
  'a\\',
  '%',
  '_',
  '[',
  '0',
  'null',
  '__proto__',
  'ß',
  '😀',
  '東京',
  '\u{ff5e}',
]

/** Returns the whole result of a query, read in pages of `limit`. */
async function readAll(store: TokenStore, query: Omit<DistinctQuery, 'after' | 'limit'>, limit: number): Promise<readonly string[]> {
  const values: string[] = []
  for (;;) {
    const after = values.at(-1)
    const page = await store.distinct({ ...query, limit, ...(after !== undefined && { after }) })
    ensure(page.length <= limit, 'distinct() must not return more values than the limit')
    values.push(...page)
    if (page.length < limit) return values
    ensure(values.length <= 10 * NAMES.length, 'paging through distinct() must come to an end')
  }
}

async function ensureAll(
  stage: Stage,
  query: Omit<DistinctQuery, 'after' | 'limit' | 'prefix'>,
  expected: readonly string[],
  what: string,
) {
  const { prefix } = stage
  const whole = await readAll(stage.second, { prefix, ...query }, 500)
  ensureSameMembers(whole, expected, what)
  for (const limit of [1, 3]) ensureEqual(await readAll(stage.store, { prefix, ...query }, limit), whole, `${what}, in pages of ${limit}`)
}

export const distinctCases: StoreCases = {
  title: 'tenants and owners',
  cases: [
    {
      title: 'each tenant and owner is listed exactly once, compared byte for byte, regardless of the page size',
      async run(stage) {
        await ensureAll(stage, { field: 'tenantId' }, [], 'distinct() must return no tenants for a prefix without tokens')
        const made = NAMES.flatMap((name, at) => [
          token(stage.prefix, { tenantId: name, ownerId: name }),
          token(stage.prefix, { tenantId: name, ownerId: NAMES[(at + 1) % NAMES.length] ?? '' }),
          token(stage.prefix, { tenantId: name }),
        ])
        await insert(stage.store, [...made, token(stage.prefix, { ownerId: 'everywhere' }), token(stage.prefix)])
        await ensureAll(stage, { field: 'tenantId' }, NAMES, 'distinct() must return every tenant once')
        await ensureAll(stage, { field: 'ownerId' }, [...NAMES, 'everywhere'], 'distinct() must return every owner once')
        for (const [at, tenantId] of NAMES.entries()) {
          const owners = [tenantId, NAMES[(at + 1) % NAMES.length] ?? '']
          await ensureAll(
            stage,
            { field: 'ownerId', tenantId },
            owners,
            `distinct() must return exactly the owners of the tenant ${JSON.stringify(tenantId)}`,
          )
        }
        await ensureAll(stage, { field: 'ownerId', tenantId: 'nobody' }, [], 'distinct() must return no owners for a tenant without tokens')
      },
    },
    {
      title: "a tenant or owner is listed while it has a token, regardless of the token's status",
      async run(stage) {
        const [kept, moved, gone] = ['kept', 'moved', 'gone'].map((name) => token(stage.prefix, { tenantId: 't', ownerId: name }))
        if (kept === undefined || moved === undefined || gone === undefined) return
        const alone = token(stage.prefix, { tenantId: 'alone', ownerId: 'kept' })
        await insert(stage.store, [kept, moved, gone, alone])
        await ensureAll(stage, { field: 'ownerId' }, ['kept', 'moved', 'gone'], 'distinct() must return the owner of every token')
        await replace(stage.store, kept, { revokedAt: kept.createdAt + 1, revokedBy: 'alice', revokedCode: 'manual' })
        await replace(stage.store, moved, { ownerId: 'heir' })
        const removal = { removals: [gone.id, alone.id], events: [] }
        ensureEqual(await stage.store.commit(removal), { ok: true }, 'commit() must accept removals')
        await ensureAll(
          stage,
          { field: 'ownerId' },
          ['kept', 'heir'],
          'distinct() must return the current owners of all tokens, even revoked ones',
        )
        await ensureAll(
          stage,
          { field: 'ownerId', tenantId: 't' },
          ['kept', 'heir'],
          'distinct() must return the current owners of the tokens of a tenant',
        )
        await ensureAll(stage, { field: 'tenantId' }, ['t'], 'distinct() must not return a tenant whose tokens were all removed')
      },
    },
    {
      title: 'a page may start after a name that no longer exists, and each prefix has its own names',
      async run(stage) {
        const made = ['b', 'd', 'f'].map((tenantId) => token(stage.prefix, { tenantId }))
        await insert(stage.store, [...made, token(`${stage.prefix}_x`, { tenantId: 'd' })])
        const { prefix } = stage
        const [first, middle = '', last] = await stage.store.distinct({ prefix, field: 'tenantId', limit: 10 })
        const gone = made.filter(({ tenantId }) => tenantId === middle).map(({ id }) => id)
        ensureEqual(await stage.store.commit({ removals: gone, events: [] }), { ok: true }, 'commit() must accept a removal')
        ensureEqual(
          await stage.store.distinct({ prefix, field: 'tenantId', limit: 10 }),
          [first, last],
          'distinct() must not return the value of a removed token',
        )
        ensureEqual(
          await stage.store.distinct({ prefix, field: 'tenantId', after: middle, limit: 10 }),
          [last],
          'distinct() must continue after a value that no longer exists',
        )
        ensureEqual(
          await stage.store.distinct({ prefix: `${prefix}_x`, field: 'tenantId', limit: 10 }),
          ['d'],
          'distinct() must return only values of its prefix',
        )
      },
    },
  ],
}
