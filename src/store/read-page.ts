/** Number of rows read first, before their size is known. That many rows of the largest size are about as large as a page may be. */
const FIRST_READ = 16
/** Maximum number of rows per read: large rows may follow small ones. */
const MOST_READ = 100
/** The maximum growth of the number of rows from one read to the next, as a factor. */
const GROWTH = 4
/** Maximum size of a page in characters of JSON, unless its first row alone is larger. */
const MAX_PAGE_SIZE = 2 * 1024 * 1024
/** Once this many rows were left out, or rows of this size were read, the page ends early. */
const MAX_LEFT_OUT = 1000
const MAX_READ_SIZE = 4 * MAX_PAGE_SIZE

/** The number of rows to read at once: few at first, then more while the rows are small. */
export class ReadSize {
  #rows: number
  #average = 1

  constructor(first: number = FIRST_READ) {
    this.#rows = first
  }

  get rows(): number {
    return this.#rows
  }

  /** The average size of the rows that were read last, in characters of JSON. */
  get average(): number {
    return this.#average
  }

  /** Adjusts the number to the rows that were just read. Returns the size of each one. */
  add(rows: readonly unknown[]): readonly number[] {
    const sizes = rows.map((row) => JSON.stringify(row).length)
    if (sizes.length === 0) return sizes
    this.#average = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
    const largest = sizes.reduce((most, size) => Math.max(most, size), 1)
    // The next rows may all be as large as the largest of these.
    this.#rows = Math.min(MOST_READ, this.#rows * GROWTH, Math.ceil(MAX_PAGE_SIZE / largest))
    return sizes
  }
}

/** The rows of a page and their size in characters of JSON, whether more follow, and the position of the last row that was read. */
export type ReadPage<Row, Place> = {
  readonly rows: readonly Row[]
  readonly size: number
  readonly more: boolean
  readonly end: Place | undefined
}

/**
 * Reads a page of at most `limit` rows, in small reads that grow while the rows are small. A token with every field at its maximum, or an event that changed
 * it, is hundreds of times larger than most, so a page of such rows ends early. Without `keep`, it has at least one row if there are any.
 *
 * Ends early, with the rows so far, if the store stopped before it filled the page.
 *
 * Leaves out the rows that `keep` refuses. If there are many of these, the page also ends early, and may be empty even if more rows follow.
 *
 * `first`: the maximum number of rows in the first read. Pass more than the default if one read should be enough and large rows are rare.
 */
export async function readPage<Row, Place>(
  limit: number,
  after: Place | undefined,
  read: (limit: number, after: Place | undefined) => Promise<readonly Row[] & { readonly stoppedAt?: Place }>,
  placeOf: (row: Row) => Place,
  keep: (row: Row) => boolean = () => true,
  first: number = FIRST_READ,
): Promise<ReadPage<Row, Place>> {
  const rows: Row[] = []
  let size = 0
  let [leftOut, leftOutSize] = [0, 0]
  let end = after
  const most = new ReadSize(first)
  let wanted = Math.min(limit + 1, most.rows)
  for (;;) {
    const found = await read(wanted, end)
    const sizes = most.add(found)
    for (const [at, row] of found.entries()) {
      const rowSize = sizes[at] ?? 0
      if (keep(row)) {
        if (rows.length === limit || (rows.length > 0 && size + rowSize > MAX_PAGE_SIZE)) return { rows, size, more: true, end }
        size += rowSize
        rows.push(row)
      } else {
        leftOut += 1
        leftOutSize += rowSize
      }
      end = placeOf(row)
    }
    if (Object.hasOwn(found, 'stoppedAt') && found.stoppedAt !== undefined) return { rows, size, more: true, end: found.stoppedAt }
    if (found.length < wanted) return { rows, size, more: false, end }
    if (leftOut >= MAX_LEFT_OUT || size + leftOutSize >= MAX_READ_SIZE) return { rows, size, more: true, end }
    const missing = Math.min(limit - rows.length, Math.ceil(Math.max(0, MAX_PAGE_SIZE - size) / most.average)) + 1
    // The next rows may be left out as well, so reading them one by one would take as many reads.
    wanted = leftOut === 0 ? Math.min(missing, most.rows) : most.rows
  }
}
