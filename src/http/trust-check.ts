import { type OnWarning, warn } from './diagnostics.js'
import type { Platform } from './request.js'

/**
 * Tells once where the framework believes whatever address a caller writes into a forwarding header: `allowedIps`, limits by address and the addresses in
 * the audit then say what callers want them to say. Asked for the first request only, because the setting belongs to the application.
 */
export function createTrustCheck<R>(believesCallers: Platform<R>['believesCallers'], onWarning?: OnWarning): (request: R) => void {
  let asked = believesCallers === undefined
  return function checkTrust(request) {
    if (asked) return
    asked = true
    try {
      if (believesCallers?.(request) === true) warn('LATCHKEY_W010', onWarning)
    } catch {
      // A setting that throws is told of where the address is read.
    }
  }
}
