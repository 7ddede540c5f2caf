import { expect, it } from 'vitest'
import { Entries } from '../../src/cache/entries.js'
import { compileFilters } from '../../src/store/compile-filter.js'
import { Background } from '../../src/store/timer.js'
import { until } from '../latchkey/harness.js'

/** An entry that counts how often a filter reads its tenant. */
function entry(id: string, tenantId: string) {
  return {
    id,
    createdBy: 'ada',
    visited: false,
    tests: 0,
    get tenantId() {
      this.tests += 1
      return tenantId
    },
  }
}

function filled(count: number) {
  const entries = new Entries<ReturnType<typeof entry>>(count, new Background())
  const all = Array.from({ length: count }, (_, at) => entry(`id${at}`, at % 2 === 0 ? 'even' : 'odd'))
  for (const each of all) entries.add(each)
  return { entries, all }
}

const tenant = (tenantId: string) => compileFilters([{ tenantIds: [tenantId] }])
const tested = (all: readonly { tests: number }[]) => all.reduce((sum, { tests }) => sum + tests, 0)

it('a bulk change immediately hides the entries that match, and tests no other entry', () => {
  const { entries, all } = filled(10_000)
  entries.dropWhere(tenant('even'))
  expect(tested(all)).toBe(0)
  expect(entries.get('id0')).toBeUndefined()
  expect(entries.get('id1')).toBe(all[1])
  expect(all.filter(({ tests }) => tests > 0)).toEqual([all[0], all[1]])
})

it('many bulk changes share one scan, after which entries are no longer tested', async () => {
  const { entries, all } = filled(10_000)
  for (let change = 0; change < 100; change += 1) entries.dropWhere(tenant(`t${change}`))
  entries.dropWhere(tenant('even'))
  await until(() => all.every(({ tests }) => tests > 0))
  const [, odd] = all
  // The scan ends after its last entry.
  await until(() => {
    const before = odd?.tests
    entries.get('id1')
    return odd?.tests === before
  })
  expect(all.filter(({ id }) => entries.get(id) !== undefined)).toEqual(all.filter((_, at) => at % 2 === 1))
})

it('an entry that was read after a bulk change is kept, until the next one', async () => {
  const { entries, all } = filled(3)
  entries.dropWhere(tenant('even'))
  const renewed = entry('id0', 'even')
  entries.add(renewed)
  expect(entries.get('id0')).toBe(renewed)
  await until(() => all[1]?.tests !== 0)
  expect(entries.get('id0')).toBe(renewed)
  entries.dropWhere(tenant('even'))
  expect(entries.get('id0')).toBeUndefined()
})

it('a bulk change during a scan is not forgotten when the scan ends', async () => {
  const { entries, all } = filled(10_000)
  entries.dropWhere(tenant('even'))
  await until(() => all[0]?.tests !== 0)
  entries.dropWhere(tenant('odd'))
  expect(entries.get('id1')).toBeUndefined()
  await until(() => all.every(({ tests }) => tests > 0))
  expect(all.filter(({ id }) => entries.get(id) !== undefined)).toEqual([])
})

it('entries added after everything was dropped are kept', async () => {
  const { entries, all } = filled(10_000)
  entries.dropWhere(tenant('even'))
  await until(() => all[0]?.tests !== 0)
  entries.clear()
  const fresh = entry('id0', 'even')
  entries.add(fresh)
  expect(entries.get('id0')).toBe(fresh)
  entries.dropWhere(tenant('odd'))
  expect(entries.get('id0')).toBe(fresh)
})
