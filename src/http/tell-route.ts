import { redact } from '../token/redact.js'
import { type OnWarning, type WarningCode, warn } from './diagnostics.js'

/** Callers may choose a part of a path that a router is mounted under, so that many routes may be one. */
const MAX_ROUTES = 8
const MAX_LENGTH = 200

const told: WeakMap<object, Set<string>> = new WeakMap()

/** Tells of a mistake once for each route of a guard or a check, up to a few. Without a name of the route, once for what stands in its place. */
export function tellRoute(
  by: object,
  code: WarningCode,
  onWarning: OnWarning | undefined,
  { route, about }: { readonly route: string; readonly about?: string | undefined },
): void {
  const routes = told.get(by) ?? new Set<string>()
  told.set(by, routes)
  if (routes.has(route) || routes.size >= MAX_ROUTES) return
  routes.add(route)
  const shown = redact(route).slice(0, MAX_LENGTH)
  warn(code, onWarning, about === undefined ? shown : `${shown}: ${about}`)
}
