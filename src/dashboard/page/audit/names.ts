import { useRef } from 'preact/hooks'
import { call } from '../lib/api.js'
import { useLoad } from '../lib/hooks.js'
import type { AuditEvent, Page, Token } from '../lib/types.js'

/** The maximum number of tokens that one request names. */
const MOST = 100

type Names = Map<string, string | undefined>

/** Returns the current names of the tokens of some events, by ID. Removed tokens are missing. The events do not wait for them. */
export function useTokenNames(events: readonly AuditEvent[]): ReadonlyMap<string, string> {
  const asked = useRef<Names>(new Map())
  const ids = tokensOf(events)
  const { data } = useLoad(ids.join(), async (signal) => known(await ask(ids, asked.current, signal)))
  return data ?? NONE
}

/** Loads the current names of the tokens of many events at once, by ID. */
export const nameTokens = async (events: readonly AuditEvent[]): Promise<ReadonlyMap<string, string>> =>
  known(await ask(tokensOf(events), new Map()))

const NONE: ReadonlyMap<string, string> = new Map()

const tokensOf = (events: readonly AuditEvent[]): readonly string[] => [...new Set(events.flatMap(({ tokenId }) => tokenId ?? []))]

async function ask(ids: readonly string[], asked: Names, signal?: AbortSignal): Promise<Names> {
  for (let wanted = missing(ids, asked); wanted.length > 0; wanted = missing(ids, asked)) {
    const { items } = await call<Page<Token>>('GET', '.', { query: { ids: wanted, limit: MOST }, ...(signal && { signal }) })
    for (const id of wanted) asked.set(id, items.find((token) => token.id === id)?.name)
  }
  return asked
}

const missing = (ids: readonly string[], asked: Names): readonly string[] => ids.filter((id) => !asked.has(id)).slice(0, MOST)

const known = (asked: Names): ReadonlyMap<string, string> =>
  new Map([...asked].flatMap(([id, name]) => (name === undefined ? [] : [[id, name] as const])))
