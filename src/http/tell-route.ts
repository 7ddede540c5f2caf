import { redact } from '../token/redact.js'
import { type OnWarning, type WarningCode, warn } from './diagnostics.js'

/** Callers may choose part of the path that a router is mounted under, so one route may appear as many. */
const MAX_ROUTES = 8
const MAX_LENGTH = 200

const told: WeakMap<object, Set<string>> = new WeakMap()

/** Reports a mistake once per route of a guard or check, up to a few routes. If the route has no name, reports it once for the placeholder. */
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
