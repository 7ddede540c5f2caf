type Range = { readonly type: string; readonly q: number }

/** Determines which of the two representations of `GET /` the caller wants, or `undefined` for neither (RFC 9110 §12.5.1). Prefers JSON if both are equal. */
export function wanted(accept: string | null, offersHtml: boolean): 'json' | 'html' | undefined {
  const ranges = (accept?.trim() || '*/*').split(',').map(readRange)
  const json = quality(ranges, 'application', 'json')
  const html = offersHtml ? quality(ranges, 'text', 'html') : 0
  if (html > json) return 'html'
  return json > 0 ? 'json' : undefined
}

// The most specific range decides, even if it excludes the type.
function quality(ranges: readonly Range[], type: string, subtype: string): number {
  for (const candidate of [`${type}/${subtype}`, `${type}/*`, '*/*']) {
    const range = ranges.find((each) => each.type === candidate)
    if (range !== undefined) return range.q
  }
  return 0
}

function readRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  const q = weight === undefined ? 1 : Number(weight.slice(2))
  return { type, q: Number.isNaN(q) ? 0 : q }
}
