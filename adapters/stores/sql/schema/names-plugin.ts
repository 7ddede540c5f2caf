import {
  type KyselyPlugin,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  type RootOperationNode,
  type SchemableIdentifierNode,
  type UnknownRow,
} from 'kysely'
import { TABLES } from './schema.js'
import type { Names } from './table-names.js'

const tables: ReadonlySet<string> = new Set(TABLES)

/** Writes the schema and the prefix into the table names of a query, so that the queries themselves can say `tokens`. */
class Renamer extends OperationNodeTransformer {
  readonly #names: Names

  constructor(names: Names) {
    super()
    this.#names = names
  }

  protected override transformSchemableIdentifier(node: SchemableIdentifierNode, _queryId?: QueryId): SchemableIdentifierNode {
    const { identifier } = node
    if (!tables.has(identifier.name)) return node
    const renamed = { ...identifier, name: this.#names.tablePrefix + identifier.name }
    if (this.#names.schema === undefined) return { ...node, identifier: renamed }
    return { ...node, schema: { kind: 'IdentifierNode', name: this.#names.schema }, identifier: renamed }
  }
}

/** Creates the Kysely plugin that puts the names of this store into every query. */
export const namesPlugin = (names: Names): KyselyPlugin => {
  const renamer = new Renamer(names)
  return {
    transformQuery: (args: PluginTransformQueryArgs): RootOperationNode => renamer.transformNode(args.node, args.queryId),
    transformResult: async (args: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> => args.result,
  }
}
