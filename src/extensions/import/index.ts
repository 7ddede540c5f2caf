export { type BcryptTokensOptions, bcryptTokens } from './bcrypt.js'
export { type BetterAuthKeysOptions, betterAuthKeys } from './better-auth.js'
export { type DjangoTokensOptions, djangoTokens } from './django.js'
export {
  type HashedTokensOptions,
  type HmacTokensOptions,
  hmacTokens,
  type PlainTokensOptions,
  plainTokens,
  sha256Tokens,
  sha512Tokens,
} from './hashed.js'
export type { FormatOptions, ShapeOptions } from './lib/shape.js'
export { type OwnTokensOptions, ownTokens } from './own.js'
export { type SanctumTokensOptions, sanctumTokens } from './sanctum.js'
