import { useEffect } from 'preact/hooks'
import { useLoad } from '../lib/hooks.js'
import { nameIn, useNames } from '../lib/names.js'
import type { AuditEvent } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { nameTokens } from './names.js'
import { loadEvents } from './query.js'

/** The number of newest events from which suggestions are taken. */
const NEWEST = 200

type Choices = readonly (readonly [string, string])[]

/** Suggests recent actors and tokens by name; others can be typed. The events do not wait for them. */
export function useSuggestions(shown: readonly AuditEvent[] | undefined): { readonly actors: Choices; readonly tokens: Choices } {
  const { me } = useWorld()
  const { owners, want } = useNames()
  const { data } = useLoad(String(shown !== undefined), async (signal) => {
    if (shown === undefined) return undefined
    const { items } = await loadEvents({ limit: NEWEST }, signal)
    return { items, names: await nameTokens(items) }
  })
  const events = [...(data?.items ?? []), ...(shown ?? [])]
  const acted = [...new Set(events.map(({ actorId }) => actorId))]
  useEffect(() => {
    for (const id of acted) want('owners', id)
  }, [acted.join('\n'), want])
  const actors = [me.id, ...acted, ...(owners?.items ?? []).map(({ id }) => id)]
  return {
    actors: choicesOf(actors, (id) => nameIn(owners, id)),
    tokens: choicesOf(
      events.flatMap(({ tokenId }) => tokenId ?? []),
      (id) => data?.names.get(id) ?? id,
    ),
  }
}

const choicesOf = (ids: readonly string[], nameOf: (id: string) => string): Choices =>
  [...new Set(ids)].map((id) => [id, nameOf(id) === id ? id : `${nameOf(id)} (${id})`])
