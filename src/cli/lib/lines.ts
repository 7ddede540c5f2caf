/** The progress of an import, reported after each batch. */
type Told = { readonly rows: number; readonly failed: number }

/** Keeps line numbers only for batches that contain failures, so a million valid rows take no memory. */
export class Lines {
  readonly #lines = new Map<number, number>()
  readonly #batch: number[] = []
  #told: Told = { rows: 0, failed: 0 }

  /** Records the line on which the next row begins. */
  note(line: number): void {
    this.#batch.push(line)
  }

  /** Records the progress after a batch. */
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

/** The maximum number of problems in a report. */
const MAX_PROBLEMS = 100
