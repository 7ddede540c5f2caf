import type { Page } from '../../model/record.js'
import type { DistinctQuery } from '../../store/port.js'
import { readPage } from '../../store/read-page.js'
import type { Context } from '../../verify/context.js'
import type { ReadActor } from './actor.js'
import { positionOf, readCursor, writeCursor } from './cursor.js'

const DEFAULT_LIMIT = 50
/** Number of values, or of tokens, read per step. */
const STEP = 100
/** Maximum cost of one call. A value costs 1; each source states the cost of a step. */
const BUDGET = 2000
const QUESTION = 50

type Given = { readonly search?: string | undefined; readonly limit?: number | undefined; readonly cursor?: string | undefined }

/** A value, and the position from which to continue. */
type Found = { readonly value: string; readonly place: Place }
type Place = readonly (string | number)[]

/** Values in a stable order after a position, read in steps of bounded cost. Without `next`, the list is complete. */
export type Names = {
  /** Number of parts of a position. */
  readonly parts: number
  /** Cost of a step, in addition to its values. */
  readonly cost: number
  step(place: readonly string[] | undefined): Promise<{ readonly found: readonly Found[]; readonly next?: Place }>
}

/**
 * Returns one page of names. A page may be short or empty even if more follow. A search with few matches continues on the next page, so no call reads the
 * whole list.
 *
 * @throws InvalidInputError `invalid_input`, for a cursor from a different query
 */
export async function pageOfNames(
  names: Names,
  { search = '', limit = DEFAULT_LIMIT, cursor }: Given,
  bound: unknown,
): Promise<Page<string>> {
  const items = new Set<string>()
  const page = (place?: Place): Page<string> => ({ items: [...items], ...(place && { nextCursor: writeCursor(place, bound) }) })
  let place = cursor === undefined ? undefined : readCursor(cursor, bound, names.parts)
  let last: Place | undefined
  for (let cost = 0; cost < BUDGET; ) {
    const { found, next } = await names.step(place)
    for (const { value, place: at } of found) {
      if (items.has(value) || !holds(value, search)) continue
      if (items.size === limit) return page(last)
      items.add(value)
      last = at
    }
    if (next === undefined) return page()
    place = next.map(String)
    cost += names.cost + found.length
  }
  return page(place)
}

/** Checks whether the name contains the text, ignoring case. */
export function holds(name: string, search: string): boolean {
  return name.toLowerCase().includes(search.toLowerCase())
}

/** Lists the distinct tenants or owners of a prefix, or the owners of a tenant. */
export function distinctNames({ store, settings: { prefix } }: Context, query: Pick<DistinctQuery, 'field' | 'tenantId'>): Names {
  return {
    parts: 1,
    cost: QUESTION,
    async step([after] = []) {
      const values = await store.distinct({ prefix, ...query, limit: STEP, ...(after !== undefined && { after }) })
      const found = values.map((value) => ({ value, place: [value] }))
      const last = found.at(-1)
      return { found, ...(last !== undefined && values.length === STEP && { next: last.place }) }
    },
  }
}

/** Lists names that are already in memory. */
export function givenNames(names: readonly string[]): Names {
  const found = [...new Set(names)].sort().map((value, at) => ({ value, place: [at] }))
  return {
    parts: 1,
    cost: 0,
    step: ([after = '-1'] = []) => Promise.resolve({ found: found.slice(Number(after) + 1) }),
  }
}

/** Lists the names of several sources in turn. A name in several sources appears once per source, but only once on a page. */
export function namesInTurn(each: readonly Names[]): Names {
  return {
    parts: 2,
    cost: QUESTION,
    async step([turn = '0', within = ''] = []) {
      const at = Number(turn)
      const { found, next } = (await each[at]?.step(within === '' ? undefined : [within])) ?? { found: [] }
      const behind = next?.[0] ?? ''
      return {
        found: found.map(({ value, place }) => ({ value, place: [at, place[0] ?? ''] })),
        ...(next !== undefined ? { next: [at, behind] } : at + 1 < each.length && { next: [at + 1, ''] }),
      }
    },
  }
}

/** Lists the names in the tokens that an actor created, newest first. A name appears once per page, on every page that contains one of its tokens. */
export function namesOfOwn({ store, settings }: Context, actor: ReadActor, field: DistinctQuery['field'], tenantId?: string): Names {
  const tenantIds = tenantId === undefined ? actor.tenants : [tenantId]
  const query = { prefix: settings.prefix, createdBy: actor.id, ...(tenantIds !== undefined && { tenantIds }), now: settings.clock() }
  return {
    parts: 2,
    // Reads whole tokens, which may be large.
    cost: STEP,
    async step(place) {
      const after = place === undefined ? undefined : positionOf(place)
      const read = (limit: number, from: typeof after) => store.list({ ...query, limit, ...(from !== undefined && { after: from }) })
      const { rows, more } = await readPage(STEP, after, read, ({ createdAt, id }) => ({ createdAt, id }))
      const found = rows.flatMap(({ createdAt, id, [field]: value }) => (value === undefined ? [] : [{ value, place: [createdAt, id] }]))
      const last = rows.at(-1)
      return { found, ...(more && last !== undefined && { next: [last.createdAt, last.id] }) }
    },
  }
}
