import { chunksOf } from '../../../src/model/chunks.js'
import type { Engine } from './engine.js'
import type { Lineage } from './queries/lineage.js'
import type { Builder, Quirks } from './quirks.js'
import type { Names } from './schema/table-names.js'

/** Context of every verb of a SQL store. */
export type Sql = {
  readonly builder: Builder
  readonly quirks: Quirks
  readonly names: Names
  readonly engine: Engine
  readonly lineage?: Lineage
}

/** Creates the context of a store that uses this engine. */
export const sqlOf = (engine: Engine, quirks: Quirks, names: Names): Sql => ({ builder: quirks.builder(names), quirks, names, engine })

/** Rows per statement: SQLite accepts 32,766 parameters, the others twice as many. */
const CHUNK = 500

/** Splits a list into chunks that fit into a statement. */
export const chunks = <T>(list: readonly T[], size: number = CHUNK): readonly (readonly T[])[] => chunksOf(list, size)
