import { type OnWarning, warn } from './diagnostics.js'
import type { Platform } from './request.js'

/**
 * Warns once if the framework trusts any address that a caller writes into a forwarding header. Callers then control `allowedIps`, limits by address, and the
 * addresses in the audit log. Checks only the first request, because the setting belongs to the application.
 */
export function createTrustCheck<R>(believesCallers: Platform<R>['believesCallers'], onWarning?: OnWarning): (request: R) => void {
  let asked = believesCallers === undefined
  return function checkTrust(request) {
    if (asked) return
    asked = true
    try {
      if (believesCallers?.(request) === true) warn('LATCHKEY_W010', onWarning)
    } catch {
      // A setting that throws is reported where the address is read.
    }
  }
}
