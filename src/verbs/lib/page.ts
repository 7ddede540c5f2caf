/** Number of rows read first, before their size is known. */
const FIRST_READ = 100
/** Maximum size of a page in characters of JSON, unless its first row alone is larger. */
const MAX_PAGE_SIZE = 2 * 1024 * 1024
/** Once this many rows were left out, the page ends early. */
const MAX_LEFT_OUT = 1000

/** The rows of a page, whether more follow, and the place of the last row that was read for it. */
export type ReadPage<Row, Place> = { readonly rows: readonly Row[]; readonly more: boolean; readonly end: Place | undefined }

/**
 * Reads a page of at most `limit` rows, in two reads if it may be large. A token with every field at its maximum is hundreds of times larger than most, so a
 * page of such tokens ends early.
 *
 * Leaves out the rows that `keep` refuses. If they are many, the page ends early too, and may be empty although more rows follow.
 */
export async function readPage<Row, Place>(
  limit: number,
  after: Place | undefined,
  read: (limit: number, after: Place | undefined) => Promise<readonly Row[]>,
  placeOf: (row: Row) => Place,
  keep: (row: Row) => boolean = () => true,
): Promise<ReadPage<Row, Place>> {
  const rows: Row[] = []
  let size = 0
  let leftOut = 0
  let end = after
  let wanted = Math.min(limit + 1, FIRST_READ)
  for (;;) {
    const found = await read(wanted, end)
    for (const row of found) {
      if (keep(row)) {
        size += JSON.stringify(row).length
        if (rows.length === limit || (rows.length > 0 && size > MAX_PAGE_SIZE)) return { rows, more: true, end }
        rows.push(row)
      } else leftOut += 1
      end = placeOf(row)
    }
    if (found.length < wanted) return { rows, more: false, end }
    if (leftOut >= MAX_LEFT_OUT) return { rows, more: true, end }
    const fitting = rows.length === 0 ? FIRST_READ : Math.ceil(((MAX_PAGE_SIZE - size) * rows.length) / size)
    const missing = Math.min(limit + 1 - rows.length, Math.max(fitting, 0) + 1)
    // The next rows may be left out as well: reading them one by one would take as many reads.
    wanted = leftOut === 0 ? missing : Math.max(missing, FIRST_READ)
  }
}
