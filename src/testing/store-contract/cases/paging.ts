import type { ListedToken, StoredToken } from '../../../model/record.js'
import type { ListQuery } from '../../../store/port.js'
import { ensure, ensureEqual } from '../../assert.js'
import { randomText } from '../../random.js'
import { event, insert, list, replace, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

type Position = { readonly createdAt: number; readonly id: string }

function positionOf({ createdAt, id }: Position): Position {
  return { createdAt, id }
}

/** Reads a list to its end in pages; `between` runs after each page but the last. */
async function readPages(
  stage: Stage,
  query: Partial<ListQuery>,
  between: (page: readonly ListedToken[], round: number) => Promise<void> = async () => {},
): Promise<ListedToken[]> {
  const limit = query.limit ?? 7
  const rows: ListedToken[] = []
  let page = await list(stage, { ...query, limit })
  for (let round = 0; round < 1000; round += 1) {
    ensure(page.length <= limit, `list() must not return more than ${limit} rows`)
    rows.push(...page)
    const last = page.at(-1)
    if (page.length < limit || last === undefined) return rows
    await between(page, round)
    page = await list(stage, { ...query, limit, after: positionOf(last) })
  }
  throw new Error('the list never ends')
}

/** Forty tokens created at four instants, whose IDs sort differently by bytes than alphabetically. */
function sameInstants(stage: Stage): StoredToken[] {
  return Array.from({ length: 40 }, (_, index) => {
    const made = token(stage.prefix, { createdAt: START + (index % 4), name: `Stable ${index}` })
    return { ...made, id: `${'aAbB019zZx'[index % 10] ?? ''}${made.id.slice(1)}` }
  })
}

function newestFirst(a: Position, b: Position): number {
  return a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : b.createdAt - a.createdAt
}

export const pagingCases: StoreCases = {
  title: 'list pages',
  cases: [
    {
      title: 'lists are newest first, and ordered by the bytes of the ID if the times are equal',
      async run(stage) {
        const made = sameInstants(stage)
        await insert(stage.store, made)
        const order = made.toSorted(newestFirst).map(({ id }) => id)
        ensureEqual(
          (await list(stage)).map(({ id }) => id),
          order,
          'list() must sort by createdAt, then by the bytes of the ID, both descending',
        )
        for (const limit of [1, 3, 10, 40]) {
          const rows = await readPages(stage, { limit })
          ensureEqual(
            rows.map(({ id }) => id),
            order,
            `pages of ${limit} must add up to the whole list`,
          )
        }
      },
    },
    {
      title: 'each unchanged row is returned exactly once while others are inserted, revoked and removed between pages',
      async run(stage) {
        const stable = sameInstants(stage)
        const doomed = Array.from({ length: 20 }, (_, index) => token(stage.prefix, { createdAt: START + (index % 4), name: 'Doomed' }))
        await insert(stage.store, [...stable, ...doomed])
        const left = [...doomed]
        const rows = await readPages(stage, {}, async (page, round) => {
          const instants = [START - 1, START, START + 1, START + 2, START + 3, START + 4]
          await insert(
            stage.store,
            instants.map((createdAt) => token(stage.prefix, { createdAt, name: 'Newcomer' })),
          )
          // The row after which the next page starts may be gone by then.
          const last = page.at(-1)
          const victim = left.find(({ id }) => id === last?.id) ?? left[round % Math.max(1, left.length)]
          if (victim === undefined) return
          left.splice(left.indexOf(victim), 1)
          await stage.store.commit({ removals: [victim.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        })
        const seen = rows.filter(({ name }) => name.startsWith('Stable')).map(({ id }) => id)
        ensureEqual(
          seen,
          stable.toSorted(newestFirst).map(({ id }) => id),
          'the pages must contain each unchanged row exactly once, in order',
        )
        ensureEqual(new Set(rows.map(({ id }) => id)).size, rows.length, 'the pages must not contain a row twice')
      },
    },
    {
      title: 'a filtered list keeps its position while rows stop matching between pages',
      async run(stage) {
        const made = Array.from({ length: 30 }, (_, index) =>
          token(stage.prefix, { createdAt: START + Math.floor(index / 5), tenantId: 'a' }),
        )
        await insert(stage.store, made)
        const revoked = new Set<string>()
        const rows = await readPages(stage, { tenantIds: ['a'], statuses: ['active'], limit: 4 }, async (page) => {
          const victim = page[0]
          if (victim === undefined) return
          revoked.add(victim.id)
          await replace(stage.store, made.find(({ id }) => id === victim.id) ?? victim, { revokedAt: START, revokedBy: 'bob' })
        })
        ensureEqual(
          rows.map(({ id }) => id),
          made.toSorted(newestFirst).map(({ id }) => id),
          'the pages must not skip rows when earlier rows stop matching',
        )
        const active = await readPages(stage, { statuses: ['active'] })
        ensureEqual(active.length, 30 - revoked.size, 'a new list must not contain rows that no longer match')
      },
    },
    {
      title: 'every filter works after a position',
      async run(stage) {
        const common = {
          tenantId: 'a',
          ownerId: 'o',
          createdBy: 'bob',
          name: 'Pick me',
          expiresAt: START + 60,
          rotationDueAt: START,
          importedFrom: 'sha256',
        }
        const made = Array.from({ length: 24 }, (_, index) => token(stage.prefix, { ...common, createdAt: START - (index % 3) }))
        const others = Array.from({ length: 24 }, (_, index) =>
          token(stage.prefix, { createdAt: START - (index % 3), name: 'Other', expiresAt: START - 1, replacedById: randomText(16) }),
        )
        await insert(stage.store, [...made, ...others])
        const order = made.toSorted(newestFirst).map(({ id }) => id)
        const queries: readonly Partial<ListQuery>[] = [
          { tenantIds: ['a', 'b'] },
          { ownerId: 'o' },
          { createdBy: 'bob' },
          { nameContains: 'pick' },
          { nameContains: 'k' },
          { idStartsWith: '', nameContains: 'pick' },
          { statuses: ['active'] },
          { statuses: ['active', 'pending'], tenantIds: ['a'] },
          { ids: order },
          { rotationDue: true },
          { expiresBefore: START + 61, statuses: ['active'] },
          { neverUsed: true, ownerId: 'o' },
          { imported: true },
          { notReplaced: true },
          { unusedSince: START, nameContains: 'me' },
        ]
        for (const query of queries) {
          const rows = await readPages(stage, { ...query, limit: 5 })
          ensureEqual(
            rows.map(({ id }) => id),
            order,
            `pages filtered by ${JSON.stringify(Object.keys(query))} must add up to the whole list`,
          )
        }
      },
    },
    {
      title: 'a position works with every query, and each query returns its own rows after the position',
      async run(stage) {
        const made = Array.from({ length: 30 }, (_, index) =>
          token(stage.prefix, {
            createdAt: START + Math.floor(index / 3),
            tenantId: index % 2 === 0 ? 'a' : 'b',
            ownerId: index % 3 === 0 ? 'o' : 'p',
          }),
        )
        await insert(stage.store, made)
        const last = (await list(stage, { tenantIds: ['a'], limit: 5 })).at(-1)
        if (last === undefined) throw new Error('the first page is empty')
        const after = positionOf(last)
        const behind = made.toSorted(newestFirst).filter((each) => newestFirst(each, after) > 0)
        for (const [query, rows] of [
          [{ tenantIds: ['b'] }, behind.filter(({ tenantId }) => tenantId === 'b')],
          [{ ownerId: 'o' }, behind.filter(({ ownerId }) => ownerId === 'o')],
          [{}, behind],
        ] as const) {
          const answered = (await list(stage, { ...query, after })).map(({ id }) => id)
          ensureEqual(
            answered,
            rows.map(({ id }) => id),
            `a position from the list of tenant a must also work with ${JSON.stringify(query)}`,
          )
        }
      },
    },
    {
      title: 'a position does not have to belong to a row',
      async run(stage) {
        const made = Array.from({ length: 6 }, (_, index) => token(stage.prefix, { createdAt: START + 10 * index }))
        await insert(stage.store, made)
        const names = async (after: Position): Promise<number[]> => (await list(stage, { after })).map(({ createdAt }) => createdAt - START)
        ensureEqual(
          await names({ createdAt: START + 25, id: '0'.repeat(16) }),
          [20, 10, 0],
          'a position between two rows must continue with the next row',
        )
        ensureEqual(await names({ createdAt: START - 1, id: 'z'.repeat(16) }), [], 'a position after the oldest row must return nothing')
        ensureEqual((await names({ createdAt: START + 1e9, id: '0' })).length, 6, 'a position before the newest row must return every row')
        ensureEqual(
          await names({ createdAt: START + 20, id: '~' }),
          [20, 10, 0],
          'a position with a higher ID and the same createdAt must return the row',
        )
        ensureEqual(
          await names({ createdAt: START + 20, id: '' }),
          [10, 0],
          'a position with a lower ID and the same createdAt must skip the row',
        )
      },
    },
  ],
}
