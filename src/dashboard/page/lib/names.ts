import { type Context, createContext } from 'preact'
import { useContext, useEffect, useMemo, useState } from 'preact/hooks'
import { chunksOf } from '../../../model/chunks.js'
import { call } from './api.js'
import { useLoad } from './hooks.js'
import { Problem } from './problem.js'
import { whenPaused } from './typing.js'

export type Kind = 'tenants' | 'owners'

export type NamedId = { readonly id: string; readonly name?: string }

/** A page of tenants or owners. `named`: the host lists all of them. */
export type NamedList = { readonly items: readonly NamedId[]; readonly nextCursor?: string; readonly named?: true }

type Choices = readonly (readonly [string, string])[]

/** The first tenants and owners, and others that are shown. Absent until loaded, or if they are not available. */
export type Names = {
  readonly tenants?: NamedList | undefined
  readonly owners?: NamedList | undefined
  /** Why some or all names are missing. */
  readonly problem?: Problem | undefined
  /** Requests the name of an ID, if only the host knows it. */
  readonly want: (kind: Kind, id: string) => void
}

const FIRST = 500
const FOUND = 20
/** The maximum number of server pages read for one page of a search, because a page may be short even if more follow. */
const MOST_PAGES = 10
/** The maximum number of IDs that one request names. */
const MOST_IDS = 100

export const NamesContext: Context<Names> = createContext<Names>({ want: () => undefined })

export const useNames = (): Names => useContext(NamesContext)

/** Returns whether there are tenants, as far as is known. If there are none, tokens are not labeled as valid for all tenants. */
export function useTenancy(tokens: readonly { readonly tenantId?: string }[] = []): boolean {
  const { tenants, problem } = useNames()
  if (tokens.some(({ tenantId }) => tenantId !== undefined)) return true
  if (tenants === undefined) return problem !== undefined
  return tenants.named === true || tenants.nextCursor !== undefined || tenants.items.length > 0
}

/** Returns the name of an ID, or the ID itself. */
export const nameIn = (list: NamedList | undefined, id: string): string => list?.items.find((one) => one.id === id)?.name ?? id

/** Like `nameIn`, but requests the name if it is not loaded yet. */
export function useName(kind: Kind, id: string): string {
  const { [kind]: list, want } = useNames()
  useEffect(() => want(kind, id), [kind, id, list, want])
  return nameIn(list, id)
}

/** Returns the label of an ID that may still be typed. Its name is requested when typing pauses. */
export function useLabel(kind: Kind, id: string): string {
  useName(kind, usePaused(id))
  return labelOf({ id, name: nameIn(useNames()[kind], id) })
}

/** Returns the label in a drop-down. */
export const labelOf = ({ id, name }: NamedId): string => (name === undefined || name === id ? id : `${name} (${id})`)

/** For a drop-down: each ID with its name. */
export const choicesOf = (list: NamedList | undefined): Choices => (list?.items ?? []).map((one) => [one.id, labelOf(one)])

type Suggestions = { readonly choices: Choices; readonly problem: Problem | undefined }

/** Loads the first tenants and owners. */
export function useLoadedNames(): Names {
  const [tenants, wantTenant, noTenants] = useKind('tenants')
  const [owners, wantOwner, noOwners] = useKind('owners')
  const problem = noTenants ?? noOwners
  return useMemo(
    () => ({ tenants, owners, problem, want: (kind, id) => (kind === 'tenants' ? wantTenant : wantOwner)(id) }),
    [tenants, owners, problem, wantTenant, wantOwner],
  )
}

function useKind(kind: Kind): readonly [NamedList | undefined, (id: string) => void, Problem | undefined] {
  const { data, problem } = useLoad(kind, (signal) => call<NamedList>('GET', kind, { query: { limit: FIRST }, signal }))
  const [others, setOthers] = useState<readonly NamedId[]>([])
  const [without, setWithout] = useState<Problem>()
  const list = useMemo(() => data && { ...data, items: [...data.items, ...others] }, [data, others])
  const want = useMemo(() => {
    const asked = new Set(data?.items.map(({ id }) => id))
    let batch: string[] = []
    const ask = async (): Promise<void> => {
      const ids = batch.slice(0, MOST_IDS)
      batch = batch.slice(MOST_IDS)
      if (batch.length > 0) setTimeout(ask)
      try {
        const { items } = await call<NamedList>('GET', kind, { query: { ids, limit: MOST_IDS } })
        if (items.length > 0) setOthers((before) => [...before, ...items])
      } catch (error) {
        // IDs are shown for names that could not be loaded.
        setWithout(Problem.of(error))
      }
    }
    return (id: string): void => {
      if (id === '' || !isPartial(data) || asked.has(id)) return
      asked.add(id)
      batch.push(id)
      if (batch.length === 1) setTimeout(ask)
    }
  }, [kind, data])
  return [list, want, problem ?? without]
}

/** Returns whether the host has more names than were loaded. */
const isPartial = (list: NamedList | undefined): boolean => list?.named === true && list.nextCursor !== undefined

/** Returns the names of many IDs at once, where the host provides them. Names that cannot be loaded are missing. */
export async function loadNames(kind: Kind, list: NamedList | undefined, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = [...(list?.items ?? [])]
  const known = new Set(found.map(({ id }) => id))
  const missing = isPartial(list) ? [...new Set(ids)].filter((id) => !known.has(id)) : []
  try {
    for (const some of chunksOf(missing, MOST_IDS)) {
      const { items } = await call<NamedList>('GET', kind, { query: { ids: some, limit: MOST_IDS } })
      found.push(...items)
    }
  } catch {
    // IDs are shown for names that could not be loaded.
  }
  return new Map(found.flatMap(({ id, name }) => (name === undefined ? [] : [[id, name] as const])))
}

/** Finds names that match the search text, starting at a cursor. Reads several server pages if they are short. */
export async function findNames(
  kind: Kind,
  query: { readonly search?: string; readonly tenantId?: string; readonly cursor?: string },
  signal?: AbortSignal,
): Promise<NamedList> {
  const found = new Map<string, NamedId>()
  let { cursor } = query
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, nextCursor } = await call<NamedList>('GET', kind, {
      query: { ...query, cursor, limit: FOUND },
      ...(signal && { signal }),
    })
    for (const one of items) found.set(one.id, one)
    cursor = nextCursor
    if (cursor === undefined || found.size >= FOUND) break
  }
  return { items: [...found.values()], ...(cursor !== undefined && { nextCursor: cursor }) }
}

/**
 * Returns the suggestions for a field: the whole list if it is short, otherwise the matches of the typed text; and the reason if loading them failed.
 */
export function useChoices(kind: Kind, typed: string, tenantId = ''): Suggestions {
  const { [kind]: list, problem: before } = useNames()
  const search = usePaused(typed)
  const ask = list !== undefined && (list.nextCursor !== undefined || tenantId !== '')
  const { data, problem } = useLoad(ask ? JSON.stringify([kind, search, tenantId]) : '', (signal) =>
    ask ? findNames(kind, { ...(search !== '' && { search }), ...(tenantId !== '' && { tenantId }) }, signal) : Promise.resolve(undefined),
  )
  return { choices: choicesOf(ask ? data : list), problem: ask ? problem : list === undefined ? before : undefined }
}

/** Returns a typed text, once typing pauses. */
function usePaused(typed: string): string {
  const [text, setText] = useState(typed)
  useEffect(
    () =>
      whenPaused(
        () => setText(typed),
        () => undefined,
      ),
    [typed],
  )
  return text
}
