/** Number of rows read first, before their size is known. */
const FIRST_READ = 100
/** Maximum size of a page in characters of JSON, unless its first row alone is larger. */
const MAX_PAGE_SIZE = 2 * 1024 * 1024

/** The rows of a page, and whether more follow. */
export type ReadPage<Row> = { readonly rows: readonly Row[]; readonly more: boolean }

/**
 * Reads a page of at most `limit` rows, in two reads if it may be large. A token with every field at its maximum is hundreds of times larger than most, so a
 * page of such tokens ends early.
 */
export async function readPage<Row, Place>(
  limit: number,
  after: Place | undefined,
  read: (limit: number, after: Place | undefined) => Promise<readonly Row[]>,
  placeOf: (row: Row) => Place,
): Promise<ReadPage<Row>> {
  const rows: Row[] = []
  let size = 0
  let place = after
  let wanted = Math.min(limit + 1, FIRST_READ)
  for (;;) {
    const found = await read(wanted, place)
    for (const row of found) {
      size += JSON.stringify(row).length
      if (rows.length === limit || (rows.length > 0 && size > MAX_PAGE_SIZE)) return { rows, more: true }
      rows.push(row)
    }
    const last = found.at(-1)
    if (last === undefined || found.length < wanted) return { rows, more: false }
    place = placeOf(last)
    const fitting = Math.ceil(((MAX_PAGE_SIZE - size) * rows.length) / size)
    wanted = Math.min(limit + 1 - rows.length, Math.max(fitting, 0) + 1)
  }
}
