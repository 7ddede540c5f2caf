import type { ListQuery, TokenFilter } from '../../../src/store/port.js'
import { creatorIndex, importedIndex, lineageIndex, ownerIndex, prefixIndex, tenantIndex } from './keys.js'

/** Above this many tenants, merging their indexes costs more than walking the index of the prefix. */
const MERGED_TENANTS = 64

/** A filter in the form that the scripts accept. */
export type IndexFilter = {
  /** A matching token is in all of these indexes. The index of the prefix comes first. */
  readonly all: readonly string[]
  /** A matching token is also in one of these indexes. */
  readonly any?: readonly string[]
  /** Lists of indexes, each of which contains every matching token. */
  readonly choices: readonly (readonly string[])[]
  readonly ids?: readonly string[]
}

export function indexFilter({
  prefix,
  ids,
  tenantIds,
  ownerId,
  createdBy,
  rootId,
  imported,
}: TokenFilter & Pick<ListQuery, 'imported'>): IndexFilter {
  const all = [
    prefixIndex(prefix),
    ...(ownerId === undefined ? [] : [ownerIndex(prefix, ownerId)]),
    ...(createdBy === undefined ? [] : [creatorIndex(prefix, createdBy)]),
    ...(rootId === undefined ? [] : [lineageIndex(prefix, rootId)]),
    ...(imported === undefined ? [] : [importedIndex(prefix)]),
  ]
  const any = tenantIds === undefined ? undefined : [...new Set(tenantIds)].map((tenantId) => tenantIndex(prefix, tenantId))
  const choices = [...(any === undefined || any.length > MERGED_TENANTS ? [] : [any]), ...all.map((index) => [index])]
  return { all, choices, ...(any === undefined ? {} : { any }), ...(ids === undefined ? {} : { ids: [...new Set(ids)].map(wellFormed) }) }
}

/** Replaces half a surrogate pair, which Lua's JSON reader refuses, with U+FFFD, as encoding to UTF-8 does. */
export function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}
