type Value = number | string | readonly string[] | undefined

/** The part of a Node response, over HTTP/1.1 or HTTP/2, that writes its header. Node calls `writeHead` itself if nothing else does. */
type Response = {
  getHeader(name: string): Value
  setHeader(name: string, value: string): unknown
  writeHead: unknown
}

/** Returns the value of `Vary` (RFC 9110 §12.5.5) with these fields added to the existing ones, without duplicates. */
export function withVary(before: Value, fields: string): string {
  const had = [before ?? []].flat().join(', ')
  const names = had.toLowerCase().split(/\s*,\s*/)
  const missing = fields.split(', ').filter((field) => !names.includes(field.toLowerCase()))
  return [had, ...(names.includes('*') ? [] : missing)].filter((part) => part !== '').join(', ')
}

/**
 * Adds these fields to the `Vary` that the response is sent with, even if a handler sets its own; otherwise a shared cache could serve one caller's
 * response to another.
 */
export function keepVary(response: Response, fields: string): void {
  const { writeHead } = response
  if (typeof writeHead !== 'function') return
  response.writeHead = function writeHeadWithVary(...args: unknown[]): unknown {
    const given = args.findIndex((arg, at) => at > 0 && typeof arg === 'object' && arg !== null)
    const own = given === -1 ? undefined : takeVary(args[given])
    if (own?.rest !== undefined) args[given] = own.rest
    response.setHeader('vary', withVary(own?.value ?? response.getHeader('vary'), fields))
    return Reflect.apply(writeHead, response, args)
  }
}

/** Splits the fields passed to `writeHead`, an object or a flat list, into `Vary` and the rest. Returns `undefined` if there is none. */
function takeVary(fields: unknown): { readonly value: Value; readonly rest: object } | undefined {
  const isVary = (name: unknown): boolean => String(name).toLowerCase() === 'vary'
  if (Array.isArray(fields)) {
    const values = fields.filter((_, at) => at % 2 === 1 && isVary(fields[at - 1]))
    return values.length === 0
      ? undefined
      : { value: values.flat().map(String), rest: fields.filter((_, at) => !isVary(fields[at - (at % 2)])) }
  }
  const entries = Object.entries(Object(fields) as { readonly [name: string]: Value })
  const value = entries.find(([name]) => isVary(name))?.[1]
  return value === undefined ? undefined : { value, rest: Object.fromEntries(entries.filter(([name]) => !isVary(name))) }
}
