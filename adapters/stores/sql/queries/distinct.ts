import { type RawBuilder, sql } from 'kysely'
import type { DistinctQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'

type Row = { readonly value: string }

/**
 * Reads one page of distinct tenants or owners. Each is found from the previous one with one index seek: `select distinct` would read every token of
 * the largest tenant to reach the next one.
 */
export const distinct = async (context: Sql, query: DistinctQuery): Promise<readonly string[]> => {
  const page = context.quirks.stepsByGroup ? byGroups(context, query) : byRecursion(context, query)
  const { rows } = await (context.engine.read ?? context.engine.run)(page.compile(context.builder))
  return rows.map(({ value }) => value)
}

const columnOf = ({ field }: DistinctQuery): string => (field === 'tenantId' ? 'tenant_id' : 'owner_id')

const byRecursion = ({ names, quirks }: Sql, query: DistinctQuery): RawBuilder<Row> => {
  const { prefix, tenantId, after = '', limit } = query
  const column = sql.raw(columnOf(query))
  const tokens = sql.raw(quirks.table(names, 'tokens'))
  const within = tenantId === undefined ? sql`` : sql`and t.tenant_id = ${tenantId}`
  const next = (value: unknown): RawBuilder<unknown> =>
    sql`(select t.${column} from ${tokens} t where t.prefix = ${prefix} ${within} and t.${column} > ${value} order by t.${column} limit 1)`
  // Counted in the query, because not every server stops a recursion when its rows are no longer needed.
  return sql<Row>`with recursive found (value, place) as (
    select ${next(after)}, 1
    union all
    select ${next(sql.raw('found.value'))}, found.place + 1 from found where found.value is not null and found.place < ${limit}
  ) select value from found where value is not null order by place`
}

// Ranges instead of `=`: with ranges MariaDB steps from one group of an index to the next and stops at the limit. With `=` it reads every token.
const byGroups = ({ names, quirks }: Sql, query: DistinctQuery): RawBuilder<Row> => {
  const { prefix, tenantId, after = '', limit } = query
  const column = columnOf(query)
  const same = Object.entries({ prefix, ...(tenantId !== undefined && { tenant_id: tenantId }) })
  const groups = sql.raw([...same.map(([name]) => name), column].map((name) => `t.${name}`).join(', '))
  const within = same.map(([name, value]) => sql`t.${sql.raw(name)} >= ${value} and t.${sql.raw(name)} <= ${value}`)
  // The index that begins with these columns.
  const index = column === 'tenant_id' ? 'tenant' : tenantId === undefined ? 'owner' : 'owner_live'
  const tokens = sql.raw(`${quirks.table(names, 'tokens')} t force index (\`${names.tablePrefix}tokens_${index}\`)`)
  return sql<Row>`select t.${sql.raw(column)} as value from ${tokens}
    where ${sql.join(within, sql` and `)} and t.${sql.raw(column)} > ${after} group by ${groups} order by ${groups} limit ${limit}`
}
