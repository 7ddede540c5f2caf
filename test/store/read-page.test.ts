import { expect, it } from 'vitest'
import { readPage } from '../../src/store/read-page.js'

const ROWS = Array.from({ length: 3_000 }, (_, at) => at + 1)

/** Pages of these rows, from the first to the last, with the number of reads that each one took. */
async function pages(limit: number, keep: (row: number) => boolean) {
  const found: { readonly rows: readonly number[]; readonly reads: number }[] = []
  let after: number | undefined
  for (;;) {
    let reads = 0
    const read = async (wanted: number, from = 0): Promise<readonly number[]> => {
      reads += 1
      return ROWS.slice(from, from + wanted)
    }
    const page = await readPage(limit, after, read, (row) => row, keep)
    found.push({ rows: page.rows, reads })
    if (!page.more) return found
    after = page.end
  }
}

it('a page read continues past rows that are left out, until the page is full', async () => {
  const found = await pages(10, (row) => row % 100 === 0)
  expect(found.map(({ rows }) => rows)).toEqual([
    ROWS.filter((row) => row % 100 === 0 && row <= 1_000),
    ROWS.filter((row) => row % 100 === 0 && row > 1_000 && row <= 2_000),
    ROWS.filter((row) => row % 100 === 0 && row > 2_000),
  ])
  for (const { reads } of found) expect(reads).toBeLessThan(15)
})

it('a page read ends early, without losing a row, if a huge number of rows are left out', async () => {
  const found = await pages(5, (row) => row === 1 || row === 2_999)
  expect(found.length).toBeGreaterThan(1)
  expect(found.flatMap(({ rows }) => rows)).toEqual([1, 2_999])
  for (const { reads } of found) expect(reads).toBeLessThan(15)
})

it('a page read fetches few rows at first, more while the rows are small, and only a few if they are large', async () => {
  const [small, large] = ['x', 'x'.repeat(120_000)]
  const readsOf = async (rows: readonly string[]) => {
    const sizes: number[] = []
    const read = async (wanted: number, from = 0): Promise<readonly [number, string][]> => {
      const found = rows.slice(from, from + wanted).map((text, at): [number, string] => [from + at + 1, text])
      sizes.push(found.length)
      return found
    }
    const page = await readPage(1_000, undefined, read, ([place]) => place)
    return { sizes, page }
  }
  const even = await readsOf(Array<string>(3_000).fill(small))
  expect(even.page.rows).toHaveLength(1_000)
  expect(even.sizes.slice(0, 3)).toEqual([16, 64, 100])
  expect(even.sizes.length).toBeLessThan(15)
  const heavy = await readsOf(Array<string>(3_000).fill(large))
  expect(heavy.sizes.reduce((sum, rows) => sum + rows, 0)).toBeLessThan(25)
  // Large rows that follow small rows are not read by the thousand either.
  const hidden = await readsOf([...Array<string>(200).fill(small), ...Array<string>(3_000).fill(large)])
  expect(Math.max(...hidden.sizes)).toBeLessThanOrEqual(100)
})

it('a page read reports the size of its page', async () => {
  const page = await readPage(
    10,
    undefined,
    async () => ['1234'],
    (row) => row,
  )
  expect(page).toEqual({ rows: ['1234'], more: false, end: '1234', size: 6 })
})

it('page reads return every row once, whatever the limit', async () => {
  for (const limit of [1, 7, 100, 1_000]) expect((await pages(limit, () => true)).flatMap(({ rows }) => rows)).toEqual(ROWS)
})
