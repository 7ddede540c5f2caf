import type { TokenFormat } from './format.js'
import type { MaybePromise } from './json.js'
import type { CreateInput } from './record.js'

/** The settings of an imported token, as for `create`. */
export type ImportedTerms<S extends string = string> = CreateInput<S> & { readonly idempotencyKey?: undefined }

/** Options of `import`. */
export type ImportInput<Row = unknown, S extends string = string> = {
  /** One of the formats of the `imports` option, or its name. */
  readonly format: TokenFormat | string
  /** Returns the settings of a row's token, such as its name and scopes. `undefined` skips the row. If it throws, the error is listed in `problems`. */
  readonly map: (row: Row) => MaybePromise<ImportedTerms<S> | undefined | null>
  /**
   * Checks everything and writes nothing. Two rows with the same key are found only if they are within a hundred rows of each other. @default false
   */
  readonly dryRun?: boolean | undefined
  /** Called, and awaited, after every hundred rows that are written. An error that it throws ends the import. */
  readonly onProgress?: ((progress: ImportProgress) => unknown) | undefined
}

/** The progress of an import: each row counts once. */
export type ImportProgress = {
  /** Rows that were read. */
  readonly rows: number
  /** Rows for which a token was created, or with `dryRun` would be. */
  readonly imported: number
  /** Rows that were imported before, regardless of what happened to their tokens. */
  readonly existing: number
  /** Rows whose tokens were imported before, ended, and have been removed since. They stay removed. */
  readonly removed: number
  /** Rows whose `expiresAt` has passed. */
  readonly expired: number
  /** Rows that `map` left out. */
  readonly skipped: number
  /** Rows that could not be imported; `problems` says why. */
  readonly failed: number
}

/** Why a row was not imported. */
export type ImportProblem = {
  /** The position of the row, counted from 1. */
  readonly row: number
  /** The column of the row, or the field of its settings. */
  readonly field?: string
  /** Never quotes the row. */
  readonly message: string
  /** A copy of the error that `map` threw, without any text from the row. */
  readonly cause?: unknown
}

/** The outcome of `import`. */
export type ImportReport = ImportProgress & {
  /** The first 100. */
  readonly problems: readonly ImportProblem[]
}
