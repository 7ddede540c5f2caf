/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>

/** Plain JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** A JSON object, as `metadata` is. */
export type JsonObject = { readonly [key: string]: Json }

/** Data that a token may access, by dimension. An absent dimension is unrestricted; an empty list allows nothing. */
export type Resources = { readonly [dimension: string]: readonly string[] }
