import { useRef } from 'preact/hooks'
import { call } from '../lib/api.js'
import { useLoad } from '../lib/hooks.js'
import type { AuditEvent, Page, Token } from '../lib/types.js'

/** As many tokens as one request names. */
const MOST = 100

/** What the tokens of some events are called now, by id. Those that are gone are not in it. The events never wait for it. */
export function useTokenNames(events: readonly AuditEvent[]): ReadonlyMap<string, string> {
  const asked = useRef(new Map<string, string | undefined>())
  const ids = [...new Set(events.flatMap(({ tokenId }) => tokenId ?? []))]
  const { data } = useLoad(ids.join(), async (signal) => {
    const { current } = asked
    for (let wanted = missing(ids, current); wanted.length > 0; wanted = missing(ids, current)) {
      const { items } = await call<Page<Token>>('GET', '.', { query: { ids: wanted, limit: MOST }, signal })
      for (const id of wanted) current.set(id, items.find((token) => token.id === id)?.name)
    }
    return new Map([...current].flatMap(([id, name]) => (name === undefined ? [] : [[id, name] as const])))
  })
  return data ?? NONE
}

const NONE: ReadonlyMap<string, string> = new Map()

const missing = (ids: readonly string[], asked: ReadonlyMap<string, unknown>): readonly string[] =>
  ids.filter((id) => !asked.has(id)).slice(0, MOST)
