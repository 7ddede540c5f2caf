import { call, type Query } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import type { Page, Token } from '../lib/types.js'

/** The maximum number of rows in one response. */
const MOST = 1000

/** The cursors at which pages start, by filters and page size. A cursor is valid for one user only, so URLs contain page numbers. */
const starts = new Map<string, Map<number, string>>()

type Found = { readonly items: readonly Token[]; readonly page: number; readonly more: boolean }

/**
 * Loads one page by its number. The API's cursors only lead forward, so unknown pages are skipped in large steps.
 * If there are fewer pages, loads the last one.
 */
export async function loadPage(filters: Query, size: number, page: number, signal: AbortSignal): Promise<Found> {
  const question = JSON.stringify([filters, size])
  const known = starts.get(question) ?? new Map<number, string>()
  starts.set(question, known)
  try {
    return await walk(filters, size, page, known, signal)
  } catch (error) {
    // A different user is signed in now, or rows are gone.
    if (!(error instanceof Problem) || error.kind !== 'refused' || known.size === 0) throw error
    known.clear()
    return walk(filters, size, page, known, signal)
  }
}

async function walk(filters: Query, size: number, page: number, known: Map<number, string>, signal: AbortSignal): Promise<Found> {
  const get = (limit: number, cursor: string | undefined): Promise<Page<Token>> =>
    call('GET', '.', { query: { ...filters, limit, cursor }, signal })
  let at = Math.max(1, ...[...known.keys()].filter((number) => number <= page))
  let cursor = known.get(at)
  while (at < page) {
    const steps = Math.min(page - at, Math.floor(MOST / size))
    const passed = await get(steps * size, cursor)
    if (passed.nextCursor === undefined) return last(passed.items, size, at)
    at += steps
    cursor = passed.nextCursor
    known.set(at, cursor)
  }
  const { items, nextCursor } = await get(size, cursor)
  if (nextCursor !== undefined) known.set(at + 1, nextCursor)
  return { items, page: at, more: nextCursor !== undefined }
}

function last(items: readonly Token[], size: number, first: number): Found {
  const pages = Math.max(1, Math.ceil(items.length / size))
  return { items: items.slice((pages - 1) * size), page: first + pages - 1, more: false }
}
