import { InvalidInputError, LatchkeyError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { ScopeName } from '../model/principal.js'
import { quote } from '../policy/quote.js'
import { isDimension } from '../policy/resource.js'
import { isGrant, isScopeName } from '../policy/scope.js'
import { resourceValues } from '../verify/route-check.js'

/** The values of a dimension: fixed values, or a function of the framework's own request. */
export type ResourceSource<R> = string | readonly string[] | ((request: R) => MaybePromise<string | readonly string[] | undefined>)

/** The resources that a route touches, by dimension. A dimension for which no value is found is denied. */
export type ResourceSources<R> = { readonly [dimension: string]: ResourceSource<R> }

/** Any one of these scopes. */
export type AnyScope = { readonly any: readonly [ScopeName, ...ScopeName[]] }

/** The arguments of `requireScopes`, for functions that pass them on: the scopes, of which all or any are required, followed by the resources. */
export type ScopeArguments<R> = readonly [ScopeName | AnyScope, ...(ScopeName | ResourceSources<R>)[]]

/** The parsed arguments. */
export type Requirement<R> = {
  readonly scopes: readonly string[]
  readonly any: boolean
  /** The sorted scopes separated by spaces. Uses are counted under this name. */
  readonly name: string
  readonly resources: readonly (readonly [dimension: string, source: ResourceSource<R>])[]
  /** Whether a function of the host determines any of these resources. */
  readonly looksUp: boolean
}

/** `requireScopes`, or the decorator of Nest. */
export type ScopeCall = 'requireScopes' | 'RequireScopes'

/**
 * Reads the arguments of `requireScopes` once, when the route is defined. Errors show it as the framework spells it.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws LatchkeyError `misconfigured` if a framework called `requireScopes` itself
 */
export function readRequirement<R>(args: readonly unknown[], call: ScopeCall = 'requireScopes'): Requirement<R> {
  const rest: unknown[] = [...args]
  if (isUncalled(rest)) {
    const message = `scopes: must be scope names: call ${call}('inventory:read') first, and use its result`
    throw new LatchkeyError('misconfigured', message, { field: 'scopes' })
  }
  const last = rest.at(-1)
  const resources = rest.length > 1 && typeof last === 'object' && last !== null ? readSources<R>(rest.pop()) : []
  const [first] = rest
  if (Array.isArray(first)) throw new InvalidInputError('scopes', `must be separate arguments, not a list: ${call}('a:b', 'c:d')`)
  if (typeof first === 'object' && first !== null && 'catalogue' in first) {
    const takes = call === 'requireScopes' ? "; protect(tokens, 'a:b') does" : '; LatchkeyModule does'
    throw new InvalidInputError('scopes', `come first: ${call}('a:b') takes no instance${takes}`)
  }
  const any = rest.length === 1 && typeof first === 'object' && first !== null
  const scopes: readonly unknown[] = any ? readAny(first) : rest
  if (scopes.length === 0) throw new InvalidInputError('scopes', `${call} requires at least one scope, as in ${call}('inventory:read')`)
  const names = scopes.map(readScope)
  const looksUp = resources.some(([, source]) => typeof source === 'function')
  return { scopes: names, any, name: [...new Set(names)].sort().join(' '), resources, looksUp }
}

/** If the host passed the function itself instead of its result, the framework calls it with a request, or with a class as a decorator. */
function isUncalled([first, ...others]: readonly unknown[]): boolean {
  if (typeof first === 'function') return true
  const isObject = typeof first === 'object' && first !== null && !Array.isArray(first)
  return isObject && (others.length > 0 || 'headers' in first) && !('any' in first) && !('catalogue' in first)
}

function readScope(scope: unknown, index: number): string {
  if (isScopeName(scope)) return scope
  const hint = isGrant(scope) ? ': groups and wildcards are for tokens' : `, not ${quote(scope)}`
  throw new InvalidInputError(`scopes.${index}`, `must be the plain name of a scope, such as inventory:read${hint}`)
}

function readAny(input: object): readonly unknown[] {
  const any: unknown = Reflect.get(input, 'any')
  if (Object.keys(input).length !== 1 || !Array.isArray(any)) {
    throw new InvalidInputError('scopes', "must be names of scopes, or { any: ['a:b', 'c:d'] }")
  }
  return any
}

function readSources<R>(input: unknown): readonly (readonly [string, ResourceSource<R>])[] {
  const entries: [string, unknown][] = Array.isArray(input) ? [] : Object.entries(Object(input))
  if (entries.length === 0) throw new InvalidInputError('resources', 'must be an object that names at least one resource')
  return entries.map(([dimension, source]) => {
    if (!isDimension(dimension)) throw new InvalidInputError(`resources.${dimension}`, 'is not the name of a resource')
    if (!isSource<R>(source)) {
      throw new InvalidInputError(
        `resources.${dimension}`,
        `must be a string, a list of strings, or a function of the request${orOption(dimension)}`,
      )
    }
    return [dimension, Array.isArray(source) ? [...source] : source] as const
  })
}

const OPTIONS = ['optional', 'credential', 'realm', 'session', 'foreign', 'errorBody', 'resourceMetadata', 'resources', 'onWarning']

const orOption = (name: string): string => (OPTIONS.includes(name) ? `; options belong in authenticate(tokens, { ${name} })` : '')

function isSource<R>(source: unknown): source is ResourceSource<R> {
  return typeof source === 'function' || resourceValues(source) !== undefined
}
