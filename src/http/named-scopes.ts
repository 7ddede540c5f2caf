import type { ScopeName } from '../model/principal.js'
import type { AnyScope, ResourceSources } from './requirement.js'

// A misspelled scope is refused with the closest name. On its own, the compiler would list every scope.

/** The candidates that share the longest prefix with the given text. */
type SameBeginning<Written extends string, Left extends string, Shared extends string = ''> = Written extends `${infer Char}${infer Rest}`
  ? Extract<Left, `${Shared}${Char}${string}`> extends infer Next extends string
    ? [Next] extends [never]
      ? Left
      : SameBeginning<Rest, Next, `${Shared}${Char}`>
    : never
  : Left

/** The candidates that share the longest suffix with the given text, which is passed backwards. */
type SameEnd<Backwards extends string, Left extends string, Shared extends string = ''> = Backwards extends `${infer Char}${infer Rest}`
  ? Extract<Left, `${string}${Char}${Shared}`> extends infer Next extends string
    ? [Next] extends [never]
      ? Left
      : SameEnd<Rest, Next, `${Char}${Shared}`>
    : never
  : Left

type Backwards<Text extends string, Done extends string = ''> = Text extends `${infer Char}${infer Rest}`
  ? Backwards<Rest, `${Char}${Done}`>
  : Done

type Nearest<Written extends string> = SameEnd<Backwards<Written>, SameBeginning<Written, ScopeName>>

/** Part of a suggestion, so that editors do not offer its text as the name of a scope. */
interface NotInTheCatalogue {
  readonly notInTheCatalogue: true
}

/** The candidates as a suggestion. If a catalogue of several scopes has no closest one, its names themselves, without a suggestion. */
type Suggested<Near extends string, First extends string = ScopeName> = [ScopeName] extends [Near]
  ? First extends First
    ? [ScopeName] extends [First]
      ? `did you mean '${Near}'?` & NotInTheCatalogue
      : First
    : never
  : `did you mean '${Near}'?` & NotInTheCatalogue

/**
 * A scope of the registered instance is unchanged. Other text becomes a type that suggests the closest scope; text known only at run time, and text that
 * resembles no scope, becomes every scope.
 */
export type Named<Written extends string> = Written extends ScopeName
  ? Written
  : string extends Written
    ? ScopeName
    : Written extends `@${string}` | `${string}*`
      ? 'must name a scope, not a wildcard or a group' & NotInTheCatalogue
      : Suggested<Nearest<Written>>

/** Editors offer the names of the catalogue, while any text is accepted: `Named` checks it. */
type AnyName = ScopeName | (string & {})

/** First argument of `requireScopes`: the name of a scope, or `{ any: […] }`. */
export type FirstInput = AnyName | { readonly any: readonly [AnyName, ...AnyName[]] }

/** Further arguments of `requireScopes`: more names, followed by the resources. */
export type RestInput<First, R> = First extends string
  ? readonly (AnyName | ResourceSources<R>)[]
  : readonly [] | readonly [ResourceSources<R>]

/** The first argument, with each name checked against the catalogue. */
export type FirstArgument<First> = First extends string
  ? Named<First>
  : First extends { readonly any: infer List extends readonly string[] }
    ? { readonly any: { readonly [At in keyof List]: Named<List[At]> } }
    : AnyScope

/** The other arguments, with each name checked against the catalogue. */
export type RestArguments<Rest> = { [At in keyof Rest]: Rest[At] extends string ? Named<Rest[At]> : Rest[At] }
