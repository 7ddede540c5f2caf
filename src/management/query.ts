import * as z from 'zod'

/** A number in a query: digits only, without signs, exponents or blanks. */
const WHOLE = /^(?:0|[1-9][0-9]{0,14})$/

/**
 * The parameters of a query string, as the verbs take them: a query holds text only, so a number, a flag or a list is made of it where the
 * schema wants one. What fits in no form is left as text, for the verb to refuse.
 */
export function readQuery(search: URLSearchParams, schema: z.ZodType): { readonly [name: string]: unknown } {
  const shape: { readonly [name: string]: unknown } = schema instanceof z.ZodObject ? schema.shape : {}
  // Without a prototype, so that a parameter called `__proto__` is one like any other, and refused like any other.
  const query: Record<string, unknown> = Object.create(null)
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name)
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
