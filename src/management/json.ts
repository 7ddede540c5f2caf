import { fault, pointerTo } from './fault.js'

/** A limit that no legitimate request reaches; `metadata` may be eight levels deep. */
export const MAX_DEPTH = 16

// Keys used for prototype pollution. No field of the API has these names, and `metadata` must not contain them.
const SPECIAL: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Parses unambiguous JSON: no repeated keys, no special keys, no deep nesting.
 *
 * RFC 8259 §4 does not define which of two equal keys counts, so two programs may read a body differently. This parser refuses it.
 *
 * @throws RequestFault `invalid_input`
 */
export function parseStrictJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw fault('body', [], 'the body is not JSON')
  }
  refuseRepeatedKeys(text)
  checkParsed(value)
  return value
}

/**
 * Checks a value that other code parsed: plain JSON, no special keys, no deep nesting. Repeated keys can no longer be detected.
 *
 * @throws RequestFault `invalid_input`
 */
export function checkParsed(value: unknown): void {
  walk(value, [])
}

function walk(value: unknown, path: PropertyKey[]): void {
  if (typeof value !== 'object' || value === null) return
  if (path.length >= MAX_DEPTH) throw fault('body', path, `the body is nested deeper than ${MAX_DEPTH} levels`)
  if (!Array.isArray(value) && !isPlain(value)) throw fault('body', path, 'must be plain JSON')
  for (const key of Object.keys(value)) {
    if (SPECIAL.has(key)) throw fault('body', [...path, key], `a field must not be named ${key}`)
    path.push(key)
    walk(Reflect.get(value, key), path)
    path.pop()
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** An open bracket: the keys seen so far in an object, or the position in a list. */
type Open = { readonly keys: Set<string> | undefined; step: PropertyKey }

/** The text is known to be valid JSON, so only brackets, commas and strings matter. */
function refuseRepeatedKeys(text: string): void {
  const stack: Open[] = []
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    const open = stack.at(-1)
    if (char === '{' || char === '[') {
      if (stack.length >= MAX_DEPTH) throw fault('body', pathOf(stack), `the body is nested deeper than ${MAX_DEPTH} levels`)
      stack.push(char === '{' ? { keys: new Set(), step: '' } : { keys: undefined, step: 0 })
    } else if (char === '}' || char === ']') {
      stack.pop()
    } else if (char === ',' && open !== undefined && typeof open.step === 'number') {
      open.step += 1
    } else if (char === '"') {
      const end = endOfString(text, at)
      if (open?.keys !== undefined && isKey(text, end)) noteKey(open, open.keys, String(JSON.parse(text.slice(at, end))), stack)
      at = end - 1
    }
  }
}

function noteKey(open: Open, keys: Set<string>, key: string, stack: readonly Open[]): void {
  open.step = key
  if (keys.has(key)) throw fault('body', pathOf(stack), `${pointerTo(pathOf(stack))} appears twice`)
  keys.add(key)
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function isKey(text: string, end: number): boolean {
  let at = end
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1
  return text[at] === ':'
}

function pathOf(stack: readonly Open[]): PropertyKey[] {
  return stack.map((open) => open.step)
}
