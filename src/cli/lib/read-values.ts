import { CommandError, EXIT } from './fault.js'

/** Durations and instants may be plain numbers, which arrive as text. */
export function numberOrText(text: string): number | string {
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text
}

/** Describes durations that were given without a unit, because `--overlap 7` may have been meant as days. */
export function withoutUnit(durations: { readonly [option: string]: number | string | undefined }): string | undefined {
  const plain = Object.entries(durations).flatMap(([option, value]) =>
    typeof value === 'number' && value !== 0 ? [`${option} ${value} means ${value} second${value === 1 ? '' : 's'}`] : [],
  )
  return plain.length === 0 ? undefined : `Note: ${plain.join(' and ')}. For other units, add one, as in 15m or 14d.`
}

/** Removes options that were not set, because the library refuses an explicit `undefined`. */
export function given<T extends object>(input: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** Collects the values of a repeatable option. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value]
}

/** Reads repeated `warehouse=w1` pairs as resources. */
export function readResources(pairs: readonly string[] | undefined): { readonly [dimension: string]: readonly string[] } | undefined {
  if (pairs === undefined) return undefined
  const found = new Map<string, string[]>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const value = pair.slice(at + 1)
    if (at < 1) throw new CommandError(EXIT.usage, '--resource must be a dimension and a value, as in warehouse=w1')
    const dimension = pair.slice(0, at)
    const values = found.get(dimension) ?? []
    found.set(dimension, values)
    // Most likely, a variable is not set. A list without values would limit a token to nothing in that dimension.
    if (value.trim() === '')
      throw new CommandError(
        EXIT.usage,
        `--resource ${dimension}= has no value: is a variable empty? Only the library and the HTTP API accept an empty list, which allows nothing`,
      )
    values.push(value)
  }
  return Object.fromEntries(found)
}

/** Reads JSON from an option. */
export function readJson(option: string, text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandError(EXIT.usage, `${option} must be JSON`)
  }
}

/** Reads an integer from an option. */
export function readCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 1000) throw new CommandError(EXIT.usage, '--limit must be a whole number from 1 to 1000')
  return count
}

/** The options for a token's settings, which `create` and `update` share. */
export type Terms = {
  readonly name?: string
  readonly description?: string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly expiresIn?: number | string
  readonly expiresAt?: number | string
  readonly notBefore?: number | string
  readonly allowedIp?: readonly string[]
  readonly rotateEvery?: number | string
  readonly metadata?: string
}

/** Converts the settings to the library's field names. */
export function readTerms(options: Terms): { readonly [field: string]: unknown } {
  const { name, description, scope: scopes, expiresIn, expiresAt, notBefore, allowedIp: allowedIps, rotateEvery } = options
  if (scopes?.some((scope) => /[\s,]/.test(scope.trim()))) {
    throw new CommandError(EXIT.usage, '--scope takes one scope: repeat it, as in --scope inventory:read --scope inventory:write')
  }
  const resources = readResources(options.resource)
  const metadata = readJson('--metadata', options.metadata)
  return { name, description, scopes, resources, allowedIps, metadata, expiresIn, expiresAt, notBefore, rotateEvery }
}
