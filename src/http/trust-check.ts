import { normalizeIp } from '../policy/network.js'
import { type OnWarning, warn } from './diagnostics.js'
import { fieldValues, type Platform, type RequestLike } from './request.js'

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

/** Warns when a token is refused for an address that is probably not the client's. */
export function warnOfAddress(seen: RequestLike, trustsProxy: boolean | undefined, onWarning: OnWarning | undefined): void {
  if (normalizeIp(seen.ip) === undefined) warn('LATCHKEY_W005', onWarning)
  else if (trustsProxy === false && isForwarded(seen)) warn('LATCHKEY_W003', onWarning)
}

function isForwarded(seen: RequestLike): boolean {
  return fieldValues(seen.headers, 'x-forwarded-for').length > 0 || fieldValues(seen.headers, 'forwarded').length > 0
}
