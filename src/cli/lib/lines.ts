/** Rows that are imported together, after which progress is told. */
type Told = { readonly rows: number; readonly failed: number }

/** Remembers on which lines the rows of batches with failures began: of a million good rows, nothing. */
export class Lines {
  readonly #lines = new Map<number, number>()
  readonly #batch: number[] = []
  #told: Told = { rows: 0, failed: 0 }

  /** The next row begins here. */
  note(line: number): void {
    this.#batch.push(line)
  }

  /** These rows were looked at, so many of which failed. */
  told({ rows, failed }: Told): void {
    const lines = this.#batch.splice(0, rows - this.#told.rows)
    if (failed > this.#told.failed && this.#told.failed < MAX_PROBLEMS) {
      lines.forEach((line, index) => void this.#lines.set(this.#told.rows + index + 1, line))
    }
    this.#told = { rows, failed }
  }

  lineOf(row: number): number | undefined {
    return this.#lines.get(row)
  }
}

/** As many as a report names. */
const MAX_PROBLEMS = 100
