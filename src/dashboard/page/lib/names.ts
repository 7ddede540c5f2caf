import { type Context, createContext } from 'preact'
import { useContext } from 'preact/hooks'

type Named = { readonly id: string; readonly name?: string }

/** Tenants or owners to choose among; with `more` there may be others. */
export type NamedList = { readonly items: readonly Named[]; readonly more?: true }

/** How tenants and owners are called, and which there are; absent until they are known, and where they cannot be told. */
export type Names = { readonly tenants?: NamedList; readonly owners?: NamedList }

export const NamesContext: Context<Names> = createContext<Names>({})

export const useNames = (): Names => useContext(NamesContext)

/** The name of an id, or the id itself. */
export const nameIn = (list: NamedList | undefined, id: string): string => list?.items.find((one) => one.id === id)?.name ?? id

/** For a drop-down: each id with its name. */
export const choicesOf = (list: NamedList | undefined): readonly (readonly [string, string])[] =>
  (list?.items ?? []).map(({ id, name }) => [id, name === undefined || name === id ? id : `${name} (${id})`])
