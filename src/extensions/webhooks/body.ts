import { viewEvent } from '../../activity/view-event.js'
import type { AuditEvent, ListedEvent } from '../../model/event.js'
import type { Json, JsonObject } from '../../model/json.js'

/** Maximum size of a request body in bytes. Common body parsers accept 100 KiB. */
export const MAX_BODY_BYTES: number = 64 * 1024

/** The fields of an event that contain large values. Of two equally large values, the one in the earlier field is left out first. */
const LARGE = ['before', 'after', 'details'] as const

type Large = (typeof LARGE)[number]

/** An event as receivers get it. */
type SentEvent = AuditEvent & {
  /** The paths of the values that are left out because the body would be too large, such as `before.resources`. */
  readonly omitted?: readonly string[]
}

/** Returns the request body of an event. If it would be too large, leaves out the largest values and lists their paths. */
export function bodyOf(event: ListedEvent): string {
  const view = viewEvent(event)
  const whole = written(view)
  const excess = bytesOf(whole) - MAX_BODY_BYTES
  if (excess <= 0) return whole
  const omitted = pathsToOmit(view, excess + bytesOf(',"omitted":[]'))
  const kept = LARGE.flatMap((field) => {
    const values = view[field]
    return values === undefined ? [] : [[field, without(values, field, omitted)] as const]
  })
  return written({ ...view, ...Object.fromEntries(kept), omitted: [...omitted] })
}

/** Returns the paths of the largest values, enough of them to save this many bytes. */
function pathsToOmit(view: AuditEvent, bytes: number): ReadonlySet<string> {
  const values = LARGE.flatMap((field) =>
    Object.entries(view[field] ?? {}).map(([name, value]) => ({
      path: pathOf(field, name),
      size: bytesOf(JSON.stringify({ [name]: value })),
    })),
  )
  const paths = new Set<string>()
  let left = bytes
  for (const { path, size } of values.toSorted((a, b) => b.size - a.size)) {
    if (left <= 0) break
    // The size of the member without its braces, minus that of its path and a comma in the list.
    left -= size - 2 - bytesOf(JSON.stringify(path)) - 1
    paths.add(path)
  }
  return paths
}

function written(event: SentEvent): string {
  return JSON.stringify({ type: event.action, timestamp: event.at.toISOString(), data: event })
}

function without(values: JsonObject, field: Large, omitted: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !omitted.has(pathOf(field, name)))) as { [name: string]: Json }
}

function pathOf(field: Large, name: string): string {
  return `${field}.${name}`
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}
