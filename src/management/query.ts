import * as z from 'zod'

/** A number in a query: digits only, without a sign, exponent or whitespace. */
const WHOLE = /^(?:0|[1-9][0-9]{0,14})$/

/**
 * Reads the parameters of a query string in the form that the verbs expect. A query contains only text, so values are converted to numbers, flags or lists
 * where the schema requires them. A value that cannot be converted stays text, and the verb refuses it.
 */
export function readQuery(search: URLSearchParams, schema: z.ZodType): { readonly [name: string]: unknown } {
  const shape: { readonly [name: string]: unknown } = schema instanceof z.ZodObject ? schema.shape : {}
  // Without a prototype, a parameter named `__proto__` is refused like any other unknown parameter.
  const query: Record<string, unknown> = Object.create(null)
  const given = new Map<string, string[]>()
  // A query with more distinct names than there are parameters contains an unknown one and is refused, so the rest does not have to be read.
  const most = Object.keys(shape).length + 1
  for (const [name, value] of search) {
    const values = given.get(name)
    if (values !== undefined) values.push(value)
    else if (given.size < most) given.set(name, [value])
  }
  for (const [name, values] of given) {
    const wanted = Object.hasOwn(shape, name) ? shape[name] : undefined
    query[name] = values.length > 1 ? values : readOne(values[0] ?? '', wanted)
  }
  return query
}

function readOne(text: string, wanted: unknown): unknown {
  if (!(wanted instanceof z.ZodType)) return text
  return formsOf(text).find((form) => wanted.safeParse(form).success) ?? text
}

function formsOf(text: string): readonly unknown[] {
  return [text, ...(WHOLE.test(text) ? [Number(text)] : []), ...(text === 'true' ? [true] : text === 'false' ? [false] : []), [text]]
}
