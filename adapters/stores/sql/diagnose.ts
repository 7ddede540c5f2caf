import { CompiledQuery } from 'kysely'
import type { StoreDiagnosis, StoreFinding } from '../../../src/store/diagnosis.js'
import { type Concern, finding } from '../lib/findings.js'
import type { Sql } from './context.js'
import { askRaw, driveAsync, type Steps } from './engine.js'
import type { Quirks } from './quirks.js'
import { isUpToDate } from './schema/migrate.js'
import type { Names } from './schema/table-names.js'

/** The values of one row, by lowercase name, as text. */
export type Facts = { readonly [name: string]: string | undefined }

/** Reads one row as text. */
export function* readFacts(query: string): Steps<Facts> {
  const [row] = (yield* askRaw(CompiledQuery.raw(query))).rows
  return textsOf(Object.entries(Object(row)))
}

/** Omits values that are absent or `null`. */
export const textsOf = (entries: readonly (readonly [unknown, unknown])[]): Facts =>
  Object.fromEntries(
    entries.flatMap(([name, value]) => (value === null || value === undefined ? [] : [[String(name).toLowerCase(), String(value)]])),
  )

/** The concern about a server that accepts no changes. */
export const READ_ONLY: Concern = {
  says: 'the server is read-only, like a replica: changes fail, and a replica can return the state from before a revocation',
  advice: 'Connect to the primary.',
}

/** Returns the concern about settings that let a server crash lose acknowledged writes; `undefined` if there are none. */
export const lossyIf = (wrong: readonly string[], advice: string): Concern | undefined =>
  wrong.length === 0
    ? undefined
    : { says: `${wrong.join(', ')}: a crash can undo acknowledged changes, and a revoked token would work again`, advice }

function* schemaFinding(quirks: Quirks, names: Names): Steps<StoreFinding> {
  const version = Math.max(...quirks.migrations(names).map((migration) => migration.version))
  const upToDate = yield* isSetUp(quirks, names)
  return finding('schema', `version ${version}`, !upToDate && { says: `missing, or older than version ${version}`, advice: MIGRATE })
}

function* isSetUp(quirks: Quirks, names: Names): Steps<boolean> {
  try {
    return yield* isUpToDate(quirks, names)
  } catch (error) {
    if (quirks.faultOf(error) !== 'tables_missing') throw error
    return false
  }
}

const MIGRATE = 'Run npx latchkey migrate, or the SQL that migrate --print prints, as a user who may alter tables.'

/** Reads the information that the server reports about itself, for each dialect. */
export const diagnose = (sql: Sql): Promise<StoreDiagnosis> =>
  driveAsync(
    (function* (): Steps<StoreDiagnosis> {
      const schema = yield* schemaFinding(sql.quirks, sql.names)
      const { findings, ...clock } = yield* sql.quirks.diagnose()
      return { findings: [schema, ...findings], ...clock }
    })(),
    async (query) => sql.engine.run(query),
  )
