import type { Route } from './route.js'
import { getMe, listEvents, listScopes, tokenEvents, tokenUsage, usageOfTokens } from './routes/activity.js'
import { createToken, listTokens, revokeAllTokens } from './routes/collection.js'
import { countTokens } from './routes/counts.js'
import { explainToken } from './routes/explain.js'
import { listOwners, listTenants } from './routes/names.js'
import { getSelf, rotateSelf } from './routes/self.js'
import { activateToken, deactivateToken, getToken, revokeToken, rotateToken, updateToken } from './routes/token.js'

/** Every route except that of the OpenAPI document. Fixed words come before `:id`, because the first match wins. */
export const ROUTES: readonly Route[] = [
  createToken,
  listTokens,
  revokeAllTokens,
  listEvents,
  countTokens,
  listTenants,
  listOwners,
  listScopes,
  usageOfTokens,
  getMe,
  getSelf,
  rotateSelf,
  getToken,
  updateToken,
  rotateToken,
  revokeToken,
  activateToken,
  deactivateToken,
  tokenUsage,
  tokenEvents,
  explainToken,
]
